// What the terminal of the demo says about an edit: enough to find the place and to know what became of it.
import test from 'ava';
import { logLineText } from '../../../controller/demo/words.ts';

const time = '2026-01-31T12:00:00.000Z';
const said = (entry: object): string | undefined => logLineText(JSON.stringify({ level: 'error', time, msg: 'missing; it must be v1', ...entry }))?.slice('12:00:00'.length);

test('a Problem is told with its place, its object and field, and what to do', (t) => {
  const entry = { file: 'examples/blog.yaml', line: 2, object: 'Namespace blog apiVersion', hint: 'The last good version stays in force.' };
  t.is(said(entry), '  error: examples/blog.yaml:2: Namespace blog apiVersion: missing; it must be v1 (The last good version stays in force.)');
});

test('a file that cannot be read is named once', (t) => {
  t.is(said({ file: 'examples/blog.yaml', line: 9, object: 'File examples/blog.yaml' }), '  error: examples/blog.yaml:9: missing; it must be v1');
});

test('what has no place and no object is told all the same if it is an error', (t) => {
  t.is(said({}), '  error: missing; it must be v1');
  t.is(said({ level: 'info' }), undefined);
});

test('a change of the table is told, its first version is not', (t) => {
  t.is(said({ level: 'info', table: 2, msg: 'table 2: ~1 route a/' }), '  table 2: ~1 route a/');
  t.is(said({ level: 'info', table: 1, msg: 'table 1: +1 route a/' }), undefined);
});
