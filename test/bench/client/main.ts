// The bench's own load generator, a process of its own: `node test/bench/client/main.ts ORDER` (see order.ts). With a rate it is
// an open loop: requests become due by the clock, in steps of a millisecond, and one for which no connection is free waits and
// is timed from when it was due. That the generator itself was late is no fault of the proxy's, and not counted.
import { setTimeout as pause } from 'node:timers/promises';
import { openLinks } from './links.ts';
import type { Link } from './links.ts';
import type { Order, Outcome } from './order.ts';

/** Not counted with a rate: the time in which this process compiles its own code. */
const LEAD_IN_MS = 300;
/** How long answers are waited for after the last request. */
const LAST_ANSWERS_MS = 2000;

const order = JSON.parse(process.argv[2] ?? '{}') as Order;
const links = order.rate === undefined ? [] : await openLinks(order);
const free = [...links];
const latencies: number[] = [];
let requests = 0;
let errors = 0;
let pending = 0;
let start = performance.now();

function request(link: Link, due: number, next: (link: Link) => void): void {
  pending++;
  link.send((ok) => {
    pending--;
    const now = performance.now();
    if (order.rate === 0 || due - start >= LEAD_IN_MS) {
      requests++;
      if (ok) latencies.push(now - due);
    }
    if (!ok) errors++;
    next(link);
  });
}

async function openLoop(rate: number): Promise<void> {
  const waiting: number[] = [];
  const total = Math.floor((rate * (order.seconds * 1000 + LEAD_IN_MS)) / 1000);
  const freed = (link: Link): void => {
    const due = waiting.shift();
    if (due === undefined) free.push(link);
    else request(link, due, freed);
  };
  for (let sent = 0; sent < total; ) {
    await pause(1);
    const now = performance.now();
    for (const due = Math.min(total, Math.floor(((now - start) * rate) / 1000)); sent < due; sent++) {
      const link = free.pop();
      if (link === undefined) waiting.push(now);
      else request(link, performance.now(), freed);
    }
  }
  for (const deadline = performance.now() + LAST_ANSWERS_MS; pending > 0 && performance.now() < deadline; ) await pause(5);
  errors += pending + waiting.length;
}

async function closedLoop(): Promise<void> {
  let going = true;
  const again = (link: Link): void => {
    if (going) request(link, performance.now(), again);
  };
  for (const link of links) again(link);
  await pause(order.seconds * 1000);
  going = false;
}

/** A few at a time, so that the proxy needs no more than a few connections upstream. */
async function openAndWait(): Promise<void> {
  const OPENING = 32;
  while (links.length < order.connections) {
    const some = await openLinks({ ...order, connections: Math.min(OPENING, order.connections - links.length) });
    await Promise.all(some.map((link) => new Promise<void>((resolve) => request(link, start, () => resolve()))));
    links.push(...some);
  }
  console.log(JSON.stringify({ open: links.length, errors }));
  for await (const _ of process.stdin) continue;
}

start = performance.now();
if (order.rate === undefined) await openAndWait();
else await (order.rate === 0 ? closedLoop() : openLoop(order.rate));

if (order.rate !== undefined) {
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))] ?? 0;
  const seconds = order.rate === 0 ? (performance.now() - start) / 1000 : order.seconds;
  const outcome: Outcome = { requests, errors, seconds, p50: at(0.5), p99: at(0.99) };
  console.log(JSON.stringify(outcome));
}
for (const link of links) link.close();
process.exit(0);
