// Tests of the lab: run inside its box (box.ts), and skipped with the reason where there is none or a program is missing.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { findTool } from './tools.ts';

const boxed = process.env['FAIRLEAD_LAB'];
const reason = boxed === 'boxed' ? '' : (boxed ?? 'not in its box: start the tests by npm run test:lab');

type Body = (t: ExecutionContext) => Promise<void>;

/** A test that runs in the lab, one at a time in a file, because they share a cluster and count its packets. `programs` are those beyond the lab's own that it needs. */
export function labTest(title: string, body: Body, programs: readonly string[] = []): void {
  const missing = programs.filter((program) => findTool(program) === undefined);
  const why = reason === '' ? (missing.length === 0 ? '' : `needs ${missing.join(', ')}`) : reason;
  if (why === '') test.serial(title, body);
  else test.serial.skip(`${title} (${why})`, body);
}
