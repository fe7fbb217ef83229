// `npm run bench`: Fairlead beside nginx, HAProxy, Caddy and http-proxy on one machine, in one run. Quick look at one case:
// `node test/bench/main.ts --only keep-alive --peers nginx,fairlead --runs 3 --seconds 2`. Without --only and --peers the tables
// and the chart are also written (RESULTS.md, results.svg). Needs Linux and the programs nginx, haproxy, caddy, wrk, h2load,
// openssl and taskset.
import { LOAD_CASES } from './cases/load-cases.ts';
import { measureCase } from './cases/load-case.ts';
import { readOptions } from './options.ts';
import { PEERS } from './peers/all.ts';
import { printSection } from './report/table.ts';
import type { Section } from './report/table.ts';
import { makeBed } from './run/bed.ts';

const options = readOptions(process.argv.slice(2), LOAD_CASES.map(({ name }) => name));
const peers = PEERS.filter(({ name }) => options.peers.includes(name));
const bed = await makeBed();
const sections: Section[] = [];
try {
  for (const load of LOAD_CASES) {
    if (options.only !== undefined && !options.only.includes(load.name)) continue;
    const section = await measureCase(load, peers, bed, options);
    sections.push(section);
    console.log(printSection(section));
  }
} finally {
  await bed.close();
}
