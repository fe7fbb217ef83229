// The wheel of deadlines: on time within a second, moved both ways, and nothing is held that has no deadline any more.
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { Deadlines } from '../../../proxy/time/deadlines.ts';
import type { Expiring } from '../../../proxy/time/deadlines.ts';

class Entry implements Expiring {
  deadlineAt = 0;
  wheelTurn = 0;
  wheelPlace = 0;
  readonly firedAt: number[] = [];
  onDeadline(): void {
    this.firedAt.push(performance.now());
  }
}

test('a deadline passes once, not before its time and within little more than a second of it; what was cleared never does', async (t) => {
  const deadlines = new Deadlines();
  deadlines.start();
  t.teardown(() => deadlines.stop());
  const began = performance.now();
  const [plain, cleared, sooner, later, again] = [new Entry(), new Entry(), new Entry(), new Entry(), new Entry()];
  deadlines.set(plain, 1_000);
  deadlines.set(cleared, 1_000);
  deadlines.clear(cleared);
  deadlines.set(sooner, 60_000);
  deadlines.set(sooner, 1_000);
  deadlines.set(later, 1_000);
  deadlines.set(later, 60_000);
  deadlines.set(again, 1_000);
  deadlines.clear(again);
  deadlines.set(again, 1_000);
  while (plain.firedAt.length + sooner.firedAt.length + again.firedAt.length < 3) await pause(20);
  await pause(1_100);
  for (const entry of [plain, sooner, again]) {
    t.is(entry.firedAt.length, 1);
    t.true((entry.firedAt[0] as number) - began >= 1_000, `${(entry.firedAt[0] as number) - began} ms`);
  }
  t.deepEqual([cleared.firedAt, later.firedAt], [[], []]);
  t.is(deadlines.size, 1, 'only the one that is still to come is held');
});

test('entries are let go when their deadlines are cleared, in any order', (t) => {
  const deadlines = new Deadlines();
  const entries = Array.from({ length: 1_000 }, () => new Entry());
  entries.forEach((entry, index) => deadlines.set(entry, (index % 7) * 1_000));
  entries.forEach((entry, index) => deadlines.set(entry, (index % 5) * 1_000));
  t.is(deadlines.size, 1_000);
  for (let step = 0; step < 1_000; step++) deadlines.clear(entries[(step * 7) % 1_000] as Entry);
  t.is(deadlines.size, 0);
});

test('a deadline may clear and set others while it passes', async (t) => {
  const deadlines = new Deadlines();
  deadlines.start();
  t.teardown(() => deadlines.stop());
  const entries = Array.from({ length: 50 }, () => new Entry());
  const first = new Entry();
  first.onDeadline = () => {
    first.firedAt.push(0);
    entries.forEach((entry, index) => (index % 2 === 0 ? deadlines.clear(entry) : deadlines.set(entry, 60_000)));
  };
  for (const entry of entries) deadlines.set(entry, 900);
  deadlines.set(first, 900);
  while (first.firedAt.length === 0) await pause(20);
  await pause(1_100);
  // The last that was set comes first, so that it was in time for all.
  t.true(entries.every((entry) => entry.firedAt.length === 0));
  t.is(deadlines.size, 25);
});
