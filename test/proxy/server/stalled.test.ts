// Who of those that wait for their clients gives way first.
import test from 'ava';
import type { BodySource } from '../../../proxy/http/exchange.ts';
import { Stalled } from '../../../proxy/server/forward/stalled.ts';
import type { Stalling } from '../../../proxy/server/forward/stalled.ts';

/** Milliseconds of the clock that this file goes by. */
let clock = 1;
performance.now = () => clock;

/** `gone`: the names of those who have given way, in their order. */
function requests(gone: string[]): (name: string) => Stalling {
  return (name) => ({ exchange: said(), giveWay: () => gone.push(name) });
}

/** Of a client that has said itself that it takes nothing. */
function said(shared?: { unheard: boolean }): Stalling['exchange'] {
  return { shared, response: { shut: true } };
}

test('a client that is said again to take nothing has taken nothing since it was said first', (t) => {
  const gone: string[] = [];
  const named = requests(gone);
  const [first, second] = [named('first'), named('second')];
  const stalled = new Stalled();
  stalled.add(first);
  clock += 600;
  stalled.add(second);
  stalled.add(first);
  clock += 399;
  t.false(stalled.makeRoom(), 'neither has had its second yet');
  clock += 1;
  t.true(stalled.makeRoom());
  t.deepEqual(gone, ['first']);
  t.false(stalled.makeRoom(), 'the second one has not had its own');
  clock += 600;
  t.true(stalled.makeRoom());
  t.deepEqual(gone, ['first', 'second']);
});

test('a client that has taken something in between begins anew, behind the others', (t) => {
  const gone: string[] = [];
  const named = requests(gone);
  const [first, second] = [named('first'), named('second')];
  const stalled = new Stalled();
  stalled.add(first);
  stalled.add(second);
  stalled.delete(first);
  stalled.add(first);
  clock += 1_000;
  t.true(stalled.makeRoom());
  t.true(stalled.makeRoom());
  t.deepEqual(gone, ['second', 'first']);
});

test('a client of which something waits to be heard has its time from when it is', (t) => {
  const gone: string[] = [];
  const shared = { unheard: true };
  const taker = { exchange: said(shared), giveWay: () => gone.push('taker') };
  const upload = { exchange: said(shared), giveWay: () => gone.push('upload') };
  const stalled = new Stalled();
  stalled.add(taker);
  stalled.uploads(upload, { waiting: true, bytes: 1 } as BodySource);
  for (let look = 0; look < 3; look++) {
    t.false(stalled.makeRoom());
    clock += 1_000;
  }
  t.false(stalled.makeRoom());
  shared.unheard = false;
  clock += 999;
  t.false(stalled.makeRoom());
  clock += 1;
  t.true(stalled.makeRoom());
  t.true(stalled.makeRoom());
  t.deepEqual(gone, ['taker', 'upload']);
});

test('a client that floods, so that it is never heard out, has ten seconds', (t) => {
  const gone: string[] = [];
  const flooding = { exchange: said({ unheard: true }), giveWay: () => gone.push('flooding') };
  const stalled = new Stalled();
  stalled.add(flooding);
  for (let look = 0; look < 11; look++) {
    t.false(stalled.makeRoom());
    clock += 1_000;
  }
  t.true(stalled.makeRoom());
  t.deepEqual(gone, ['flooding']);
});

test('a client that says nothing, and whose connection takes no more, has three seconds', (t) => {
  const gone: string[] = [];
  const silent = { exchange: { shared: undefined, response: { shut: false } }, giveWay: () => gone.push('silent') };
  const stalled = new Stalled();
  stalled.add(silent);
  clock += 500;
  stalled.add(requests(gone)('shut'));
  clock += 1_000;
  t.true(stalled.makeRoom());
  t.deepEqual(gone, ['shut'], 'who said it does not wait behind who did not');
  clock += 1_499;
  t.false(stalled.makeRoom());
  clock += 1;
  t.true(stalled.makeRoom());
  t.deepEqual(gone, ['shut', 'silent']);
});

test('an upload that moves keeps its place', (t) => {
  const gone: string[] = [];
  const body = { waiting: true, bytes: 1 } as { -readonly [K in keyof BodySource]: BodySource[K] };
  const stalled = new Stalled();
  stalled.uploads(requests(gone)('upload'), body);
  t.false(stalled.makeRoom());
  clock += 600;
  body.bytes = 2;
  t.false(stalled.makeRoom());
  clock += 600;
  t.false(stalled.makeRoom(), 'it sent something less than a second ago');
  clock += 400;
  t.true(stalled.makeRoom());
  t.deepEqual(gone, ['upload']);
});
