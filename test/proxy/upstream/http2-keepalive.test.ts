// When a connection is asked with PING: on a clock of the test's own, because it is all about time.
import { mock } from 'node:test';
import test from 'ava';
import { Keepalive } from '../../../proxy/upstream/http2/keepalive.ts';

class FakeLine {
  open = 1;
  heard = 0;
  ticks = 0;
  given = false;
  /** Seconds at which a PING was sent. */
  readonly pings: number[] = [];
  seconds = 0;
  answers = true;
  readonly keepalive: Keepalive;

  constructor() {
    this.keepalive = new Keepalive({ pingAfterMs: 20_000, pingTimeoutMs: 10_000 }, this);
  }

  ping(): void {
    this.pings.push(this.seconds);
    if (this.answers) queueMicrotask(() => {
      // The answer is something that comes, too.
      this.heard++;
      this.keepalive.pong();
    });
  }

  unresponsive(): void {
    this.given = true;
  }

  tick(): void {
    this.ticks++;
  }

  async pass(seconds: number, each: (second: number) => void = () => {}): Promise<void> {
    for (let nth = 0; nth < seconds; nth++) {
      this.seconds++;
      each(this.seconds);
      mock.timers.tick(1_000);
      await Promise.resolve();
    }
  }
}

test.before(() => mock.timers.enable({ apis: ['setInterval', 'setTimeout'] }));
test.after.always(() => mock.timers.reset());

test.serial('silence is asked ever more rarely: gRPC servers bear two PINGs within five minutes', async (t) => {
  const line = new FakeLine();
  await line.pass(1_800);
  line.keepalive.stop();
  t.deepEqual(line.pings, [20, 100, 420, 740, 1_060, 1_380, 1_700]);
  t.is(line.ticks, 90);
  t.false(line.given);
});

test.serial('nothing is asked while something comes, nor while nothing is under way', async (t) => {
  const line = new FakeLine();
  await line.pass(100, (second) => {
    if (second % 15 === 0) line.heard++;
  });
  line.open = 0;
  await line.pass(100);
  t.deepEqual(line.pings, []);
  line.open = 1;
  await line.pass(40);
  t.deepEqual(line.pings, [220]);
  line.keepalive.stop();
});

test.serial('something that comes makes the next silence a new one', async (t) => {
  const line = new FakeLine();
  await line.pass(30);
  line.heard++;
  await line.pass(40);
  t.deepEqual(line.pings, [20, 60]);
  line.keepalive.stop();
});

test.serial('no answer in time is the end', async (t) => {
  const line = new FakeLine();
  line.answers = false;
  await line.pass(29);
  t.deepEqual(line.pings, [20]);
  t.false(line.given);
  await line.pass(1);
  t.true(line.given);
  line.keepalive.stop();
  const stopped = new FakeLine();
  stopped.answers = false;
  await stopped.pass(25);
  stopped.keepalive.stop();
  await stopped.pass(60);
  t.false(stopped.given);
});
