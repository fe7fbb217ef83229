// A view ends up right however its events come: late, twice, in the wrong order, with lists in between. Histories are made
// from a seed, and whatever order they are told in, the end is compared with the objects that there really are.
import test from 'ava';
import { View } from '../../../controller/kube/view.ts';
import type { Entry, EventType } from '../../../controller/kube/view.ts';

interface Event {
  readonly type: EventType;
  readonly key: string;
  readonly uid: string;
  readonly version: number;
}

/** xorshift32: small, fast, and the same everywhere. */
function randomFrom(seed: number): (below: number) => number {
  let state = (seed * 2654435761) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

class History {
  readonly events: Event[] = [];
  readonly #objects = new Map<string, { readonly uid: string; readonly version: number }>();
  #version = 8;

  constructor(random: (below: number) => number, length: number) {
    for (let step = 0; step < length; step++) {
      const key = `ns/${random(4)}`;
      const known = this.#objects.get(key);
      this.#version += 1 + random(3);
      if (known === undefined) this.#write('ADDED', key, `uid-${this.#version}`);
      else if (random(3) === 0) this.#write('DELETED', key, known.uid);
      else this.#write('MODIFIED', key, known.uid);
    }
  }

  #write(type: EventType, key: string, uid: string): void {
    if (type === 'DELETED') this.#objects.delete(key);
    else this.#objects.set(key, { uid, version: this.#version });
    this.events.push({ type, key, uid, version: this.#version });
  }

  /** What there is when the first `count` events have happened, and at which version. */
  at(count: number): { readonly list: Map<string, Entry<string>>; readonly version: string } {
    const list = new Map<string, Entry<string>>();
    for (const { type, key, uid, version } of this.events.slice(0, count)) {
      if (type === 'DELETED') list.delete(key);
      else list.set(key, { uid, version: String(version), value: `${uid}@${version}` });
    }
    return { list, version: String(count === 0 ? 8 : this.events[count - 1]!.version) };
  }
}

const contents = (entries: Iterable<[string, Entry<string>]>): string[] => [...entries].map(([key, { value }]) => `${key}=${value}`).sort();

function tell(view: View<string>, { type, key, uid, version }: Event): void {
  view.event(type, key, uid, String(version), () => `${uid}@${version}`);
}

/** Tells a history in a wild order and returns what the view makes of it, next to what is true. */
function scenario(seed: number): { readonly seen: string[]; readonly real: string[] } {
  const random = randomFrom(seed);
  const history = new History(random, 1 + random(14));
  const { events } = history;
  const view = new View<string>();
  let listed = random(events.length + 1);
  const first = history.at(listed);
  view.replace(first.list, first.version);

  // From some events before the list on, so that what the list holds already is told again.
  const told = events.slice(Math.max(0, listed - random(4)));
  const copies = told.flatMap((event) => (random(3) === 0 ? [event, event] : [event]));
  // Everything may trade places with everything, or only with its neighbours.
  const reach = random(2) === 0 ? copies.length : 3;
  for (let index = copies.length - 1; index > 0; index--) {
    const other = Math.max(0, index - random(reach));
    [copies[index], copies[other]] = [copies[other]!, copies[index]!];
  }
  const outstanding = new Set(told);
  for (const event of copies) {
    tell(view, event);
    outstanding.delete(event);
    const complete = Math.min(...[...outstanding].map(({ version }) => version), Number.POSITIVE_INFINITY);
    const upTo = events.filter(({ version }) => version < complete);
    listed = Math.max(listed, events.indexOf(event) + 1);
    // Bookmarks promise that all before them has been told; a list may come at any time, and is never older than what was told.
    if (random(4) === 0 && upTo.length > 0) view.bookmark(String(upTo.at(-1)!.version));
    if (random(12) === 0) {
      listed += random(events.length - listed + 1);
      const { list, version } = history.at(listed);
      view.replace(list, version);
    }
  }
  return { seen: contents(view.entries()), real: contents(history.at(events.length).list) };
}

// More of them with FAIRLEAD_HISTORIES=1000000.
const HISTORIES = Number(process.env.FAIRLEAD_HISTORIES ?? 100_000);

test('whatever the order in which 100,000 histories are told, and how often, the end is what there really is', (t) => {
  for (let seed = 1; seed <= HISTORIES; seed++) {
    const { seen, real } = scenario(seed);
    if (seen.join() !== real.join()) return t.deepEqual(seen, real, `seed ${seed}`);
  }
  return t.pass();
});

test('changes that a view reports, applied one by one, give the same objects as the view', (t) => {
  for (let seed = 1; seed <= 5_000; seed++) {
    const random = randomFrom(seed);
    const history = new History(random, 12);
    const view = new View<string>();
    const copy = new Map<string, string>();
    const listed = random(6);
    for (const [from, to] of [[0, listed], [listed, 12]] as const) {
      const { list, version } = history.at(from);
      const changes = view.replace(list, version);
      for (const event of history.events.slice(from, to)) {
        const change = view.event(event.type, event.key, event.uid, String(event.version), () => `${event.uid}@${event.version}`);
        if (change !== undefined) changes.push(change);
      }
      for (const { key, before, now } of changes) {
        if (copy.get(key) !== before) return t.fail(`seed ${seed}: ${key} was ${copy.get(key)}, not ${before}`);
        if (now === undefined) copy.delete(key);
        else copy.set(key, now);
      }
    }
    if ([...copy].map(([key, value]) => `${key}=${value}`).sort().join() !== contents(view.entries()).join()) return t.fail(`seed ${seed}`);
  }
  return t.pass();
});

test('a list that is older than the view takes its place, and what happens after it counts', (t) => {
  const view = new View<string>();
  view.replace(new Map([['ns/a', { uid: 'a', version: '900', value: 'new' }]]), '1000');
  view.replace(new Map([['ns/a', { uid: 'a', version: '90', value: 'old' }]]), '100');
  t.is(view.version, '100');
  t.deepEqual(view.event('MODIFIED', 'ns/a', 'a', '101', () => 'after'), { key: 'ns/a', before: 'old', now: 'after' });
});

test('versions are compared as numbers of any length', (t) => {
  const view = new View<string>();
  view.replace(new Map(), '99999999999999999998');
  t.is(view.event('ADDED', 'ns/a', 'a', '99999999999999999997', () => 'x'), undefined);
  t.truthy(view.event('ADDED', 'ns/a', 'a', '100000000000000000000', () => 'x'));
});

test('versions that are no numbers are taken in the order in which they come', (t) => {
  const view = new View<string>();
  view.replace(new Map(), 'abc');
  t.truthy(view.event('ADDED', 'ns/a', 'a', 'zzz', () => '1'));
  t.truthy(view.event('MODIFIED', 'ns/a', 'a', 'aaa', () => '2'));
  t.is(view.version, 'aaa');
});
