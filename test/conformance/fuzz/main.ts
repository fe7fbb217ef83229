// `npm run fuzz [-- --seed N] [--minutes N] [--from N]`: mutated streams for ten minutes. Prints its seed; with the seed and a number
// every stream can be had again. Exit code 1 if anything was violated.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { fuzz } from './run.ts';

const { values } = parseArgs({ options: { seed: { type: 'string' }, minutes: { type: 'string', default: '10' }, from: { type: 'string', default: '0' }, streams: { type: 'string' } } });
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
process.stdout.write(`seed ${seed}\n`);
const report = await fuzz({
  seed,
  streams: values.streams === undefined ? Number.POSITIVE_INFINITY : Number(values.streams),
  ms: Number(values.minutes) * 60_000,
  from: Number(values.from),
  progress: (now) => process.stdout.write(`${now.streams} streams, ${now.forwarded} requests forwarded, ${now.refused} streams refused, ${now.violations.length} violations\n`),
});
for (const violation of report.violations) process.stdout.write(`\n${violation}\n`);
const perMinute = Math.round(report.streams / (report.ms / 60_000));
process.stdout.write(`\n${report.streams} streams in ${Math.round(report.ms / 1000)} s (${perMinute} a minute): ${report.violations.length} violations; seed ${seed}\n`);
process.exitCode = report.violations.length === 0 ? 0 : 1;
