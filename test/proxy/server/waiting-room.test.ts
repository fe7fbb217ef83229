// The waiting room by itself: whom a place goes to that a stalled client gave up, where most who wait may not have it.
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { Balancer } from '../../../proxy/balance/balancer.ts';
import { Stalled } from '../../../proxy/server/forward/stalled.ts';
import { WaitingRoom } from '../../../proxy/server/forward/waiting-room.ts';

test('places that stalled clients give up are taken at once, by whomever of all that wait they are for', async (t) => {
  const balancer = { free: 0, onRoom: undefined as (() => void) | undefined, shortage: () => 'UpstreamOverflow' } as { free: number; onRoom: (() => void) | undefined } & Balancer;
  const stalled = new Stalled();
  for (let nth = 0; nth < 4; nth++) {
    stalled.add({
      exchange: { shared: undefined, response: { shut: true } },
      giveWay: () => {
        balancer.free++;
        balancer.onRoom?.();
      },
    });
  }
  const room = new WaitingRoom(balancer, stalled, 100);
  let served = 0;
  let servedInOneLook: number | undefined;
  const waiter = (entitled: boolean): Parameters<WaitingRoom['enter']>[0] => ({
    displaced: () => t.fail(),
    turn: () => {
      if (!entitled) return false;
      balancer.free--;
      if (++served === 1) setImmediate(() => (servedInOneLook = served));
      return true;
    },
  });
  // Between any two that may have a place there are more than would be asked when one ends by itself.
  for (let nth = 0; nth < 4; nth++) for (const entitled of [false, false, false, true]) t.true(room.enter(waiter(entitled), {}));
  for (const deadline = performance.now() + 10_000; servedInOneLook === undefined && performance.now() < deadline; ) await pause(20);
  t.is(servedInOneLook, 4);
  t.is(room.size, 12);
});
