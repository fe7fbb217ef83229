// Bodies that can be sent again: every sink gets all of it in order, or the body says that it cannot be had again.
import test from 'ava';
import fc from 'fast-check';
import type { BodySink, ProxyError, RawHeaders } from '../../../proxy/http/exchange.ts';
import { ReplayBody } from '../../../proxy/upstream/replay-body.ts';
import { CLIENT_GONE, ManualBody, readyBody } from '../../support/endpoint-body.ts';

class Sink implements BodySink {
  text = '';
  trailers: RawHeaders | undefined;
  error: ProxyError | undefined;
  readonly #body: ReplayBody;
  /** Pauses after every chunk. */
  readonly #slow: boolean;

  constructor(body: ReplayBody, slow = false) {
    this.#body = body;
    this.#slow = slow;
  }

  onData(chunk: Buffer): void {
    this.text += chunk.toString();
    if (this.#slow) this.#body.pause(this);
  }

  onEnd(trailers: RawHeaders): void {
    this.trailers = trailers;
  }

  onAbort(error: ProxyError): void {
    this.error = error;
  }
}

test('a body is sent as often as it is asked for, until it is released', (t) => {
  const source = readyBody('hello');
  const body = new ReplayBody(source);
  for (let nth = 0; nth < 3; nth++) {
    const sink = new Sink(body);
    body.start(sink);
    t.is(sink.text, 'hello');
    t.deepEqual(sink.trailers, []);
    t.false(body.started);
  }
  body.release();
  t.true(body.started);
  t.is(body.bytes, 5);
  t.is(body.length, 5);
});

test('a body that is not all there goes on with the sink that has it', (t) => {
  const source = new ManualBody(undefined);
  const body = new ReplayBody(source);
  t.false(body.started);
  const first = new Sink(body);
  body.start(first);
  source.push('ab');
  const second = new Sink(body);
  body.start(second);
  source.push('cd');
  source.end();
  t.deepEqual([first.text, first.trailers], ['ab', undefined]);
  t.deepEqual([second.text, second.trailers], ['abcd', []]);
});

test('a sink that no longer has the body neither stops the client nor lets it go on', (t) => {
  const source = new ManualBody(undefined);
  const body = new ReplayBody(source);
  const first = new Sink(body);
  body.start(first);
  source.push('ab');
  body.pause(first);
  const second = new Sink(body);
  body.start(second);
  t.false(source.paused);
  body.pause(first);
  t.false(source.paused);
  body.pause(second);
  body.resume(first);
  t.true(source.paused);
  body.resume(second);
  t.false(source.paused);
  source.push('cd');
  source.end();
  t.deepEqual([second.text, second.trailers], ['abcd', []]);
});

test('a body that grows too large streams on, and cannot be had again', (t) => {
  const source = new ManualBody(undefined);
  const body = new ReplayBody(source, 10);
  const sink = new Sink(body);
  body.start(sink);
  source.push('12345678');
  t.false(body.started);
  source.push('9012');
  t.true(body.started);
  source.push('more');
  source.end();
  t.is(sink.text, '123456789012more');
  t.deepEqual(sink.trailers, []);
});

test('a client that goes away is told to whoever asks', (t) => {
  const source = new ManualBody(5);
  const body = new ReplayBody(source);
  const first = new Sink(body);
  body.start(first);
  source.push('ab');
  source.abort();
  t.deepEqual([first.text, first.error], ['ab', CLIENT_GONE]);
  const second = new Sink(body);
  body.start(second);
  t.deepEqual([second.text, second.error], ['', CLIENT_GONE]);
});

test('a slow sink is never given more than one chunk at a time of what is kept', (t) => {
  const source = new ManualBody(undefined);
  const body = new ReplayBody(source);
  body.start(new Sink(body));
  for (const text of ['a', 'b', 'c']) source.push(text);
  const slow = new Sink(body, true);
  body.start(slow);
  t.is(slow.text, 'a');
  t.true(source.paused);
  body.resume(slow);
  t.is(slow.text, 'ab');
  source.push('d');
  source.end();
  t.is(slow.text, 'ab');
  for (let nth = 0; nth < 3; nth++) body.resume(slow);
  t.is(slow.text, 'abcd');
  t.deepEqual(slow.trailers, []);
});

test('whatever happens in whatever order, a sink has the beginning of the body, and a complete one has all of it', (t) => {
  const step = fc.oneof(fc.constant('push'), fc.constant('restart'), fc.constant('slow'), fc.constant('resume'), fc.constant('release'), fc.constant('end'), fc.constant('old pause'), fc.constant('old resume'));
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const source = new ManualBody(undefined);
    const body = new ReplayBody(source, 12);
    let whole = '';
    let ended = false;
    let former = new Sink(body);
    let sink = new Sink(body);
    body.start(sink);
    for (const one of steps) {
      const formerText = former.text;
      const { paused } = source;
      if (one === 'push' && !ended) {
        const text = String.fromCharCode(97 + (whole.length % 26)).repeat(3);
        whole += text;
        source.push(text);
      } else if (one === 'end' && !ended) {
        ended = true;
        source.end();
      } else if ((one === 'restart' || one === 'slow') && !body.started) {
        former = sink;
        sink = new Sink(body, one === 'slow');
        body.start(sink);
      } else if (one === 'resume') body.resume(sink);
      else if (one === 'old pause') body.pause(former);
      else if (one === 'old resume') body.resume(former);
      else if (one === 'release') body.release();
      if (!whole.startsWith(sink.text)) return false;
      if (one.startsWith('old') && (former.text !== formerText || source.paused !== paused)) return false;
      if (sink.trailers !== undefined && sink.text !== whole) return false;
    }
    for (let nth = 0; nth < 40; nth++) body.resume(sink);
    return sink.text === whole && (sink.trailers !== undefined) === ended;
  }), { numRuns: 2_000 });
  t.pass();
});
