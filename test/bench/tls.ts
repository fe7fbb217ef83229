// `npm run bench:tls`: what TLS costs Fairlead, beside nginx, HAProxy and the others: full and resumed handshakes, and large bodies.
// The same flags as `npm run bench`; without --only and --peers the tables go into RESULTS.md.
import { measureCase } from './cases/load-case.ts';
import { TLS_CASES } from './cases/tls-cases.ts';
import { readOptions } from './options.ts';
import { PEERS } from './peers/all.ts';
import { describeMachine } from './report/machine.ts';
import { writeResults } from './report/results.ts';
import { printSection } from './report/table.ts';
import { makeBed } from './run/bed.ts';

const options = readOptions(process.argv.slice(2), TLS_CASES.map(({ name }) => name));
const peers = PEERS.filter(({ name }) => options.peers.includes(name));
const printed: string[] = [];
const bed = await makeBed();
try {
  for (const load of TLS_CASES) {
    if (options.only !== undefined && !options.only.includes(load.name)) continue;
    const text = printSection(await measureCase(load, peers, bed, options));
    printed.push(text);
    console.log(text);
  }
} finally {
  await bed.close();
}
const head = [...(await describeMachine()), `- ${options.runs} runs of ${options.seconds} s each`];
console.log(head.join('\n'));
if (options.write) writeResults('bench-tls', [...head, '', ...printed].join('\n'));
