// Names the test files of the failures in a TAP report of AVA, one a line: for `.ci/run`, which runs them once more.
// In: the report on stdin, and the folder of the suite. Out: exit code 1 if a failure is of no file that is known, since then
// everything has to be run again.
import { existsSync, readFileSync } from 'node:fs';

/** Titles begin with the path of their file below it. */
const folder = process.argv[2];

function fileOf(title) {
  const crashed = /^(test\/\S+\.test\.ts) exited /.exec(title);
  if (crashed !== null) return crashed[1];
  const parts = title.split(' › ');
  for (let length = parts.length - 1; length > 0; length--) {
    const file = `${folder}/${parts.slice(0, length).join('/')}.test.ts`;
    if (existsSync(file)) return file;
  }
  return undefined;
}

const files = [...readFileSync(0, 'utf8').matchAll(/^not ok \d+ - (.+)$/gm)].map(([, title]) => fileOf(title));
if (files.length === 0 || files.includes(undefined)) process.exit(1);
console.log([...new Set(files)].join('\n'));
