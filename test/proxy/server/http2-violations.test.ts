// A client of HTTP/2 that loses its connection for what it did, or did not do in time, is told why, and so is the log: one line for the
// connection, and its streams that were open as its own fault.
import test from 'ava';
import { forwardPlane, silent } from '../../support/forward-plane.ts';
import { FLAG, FRAME, RawHttp2Client, frame, headerBlock, requestFields } from '../../support/raw-http2.ts';
import type { Frame } from '../../support/raw-http2.ts';
import { RawClient } from '../../support/raw-client.ts';

const isGoaway = ({ type }: Frame): boolean => type === FRAME.GOAWAY;
const get = (stream: number): Buffer => frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, stream, headerBlock(requestFields('GET', '/')));
const post = (stream: number): Buffer => frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, headerBlock(requestFields('POST', '/')));
const unfinished = (stream: number): Buffer => frame(FRAME.HEADERS, FLAG.END_STREAM, stream, headerBlock(requestFields('GET', '/')));
const pings = Buffer.concat(Array.from({ length: 4_000 }, () => frame(FRAME.PING, 0, 0, '12345678')));

const BREACHES: readonly (readonly [what: string, status: number, reason: string, text: string, bytes: Buffer])[] = [
  ['a flood of frames', 400, 'DownstreamProtocolError', 'too many frames without effect', pings],
  ['a frame that breaks the protocol', 400, 'DownstreamProtocolError', 'a stream of an even number', Buffer.concat([get(2), get(4)])],
  ['a head that is not complete in time', 408, 'DownstreamRequestTimeout', 'the request head was not complete in time', unfinished(7)],
];

for (const [what, status, reason, text, bytes] of BREACHES) {
  test(`${what}: one line with ${status} ${reason}, and the same reason for each stream that was open`, async (t) => {
    const plane = await forwardPlane(t, [silent], { limits: { headTimeoutMs: 300 } });
    const client = await RawHttp2Client.connect(plane.port);
    t.teardown(() => client.destroy());
    client.write(get(1), post(3), frame(FRAME.DATA, 0, 3, 'some'));
    for (let tries = 0; plane.counts()[0] === 0 && tries < 300; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
    client.write(bytes);
    const { payload } = await client.until(isGoaway);
    t.is(payload.toString('latin1', 8), text);
    await new Promise((resolve) => setTimeout(resolve, 50));
    t.deepEqual(plane.log.map((line) => `${line.exchange.request.version} ${line.status} ${line.reason} ${line.exchange.request.method}`).toSorted(), [
      `2 ${status} ${reason} `, `2 499 ${reason} GET`, `2 499 ${reason} POST`,
    ]);
  });
}

test('a connection on which SETTINGS do not come in time is 408 in the log, one that has served and falls silent is not there', async (t) => {
  const plane = await forwardPlane(t, [silent], { limits: { headTimeoutMs: 300, keepAliveTimeoutMs: 300 } });
  const mute = await RawClient.connect(plane.port);
  const idle = await RawHttp2Client.connect(plane.port);
  t.teardown(() => {
    mute.destroy();
    idle.destroy();
  });
  mute.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  await idle.until(isGoaway);
  t.true((await mute.end()).toString('latin1').endsWith('no SETTINGS in time'));
  t.deepEqual(plane.log.map(({ status, reason }) => `${status} ${reason}`), ['408 DownstreamRequestTimeout']);
});
