import test from 'ava';
import { Pulse } from '../../../proxy/observe/pulse.ts';

test('a worker that finishes requests gives a sign of life twice a second, and one that finishes none gives none', (t) => {
  let signs = 0;
  const pulse = new Pulse(() => signs++);
  for (let at = 1_000; at < 3_000; at++) pulse.observeExchange({ startedAt: at - 5 }, 0, 0, 5);
  t.is(signs, 4);
  pulse.observeExchange({ startedAt: 3_000 }, 0, 0, 100);
  t.is(signs, 5);
});
