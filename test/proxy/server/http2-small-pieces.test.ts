// An answer that comes octet by octet while its client takes nothing is put together: a piece of its own for each octet costs
// a hundred times as much memory, and frames of one octet each, as many as a connection may hold, take seconds to write.
import test from 'ava';
import { forwardPlane } from '../../support/forward-plane.ts';
import { FRAME, RawHttp2Client, frame, requestFields } from '../../support/raw-http2.ts';

const OCTETS = 5_000;
const text = Array.from({ length: OCTETS }, (_, nth) => String.fromCharCode(97 + (nth % 26))).join('');
const INITIAL_WINDOW_SIZE = 4;

function setting(id: number, value: number): Buffer {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(id);
  payload.writeUInt32BE(value, 2);
  return frame(FRAME.SETTINGS, 0, 0, payload);
}

test('an answer that comes octet by octet, while its client takes nothing', async (t) => {
  const chunks = [...text].map((octet) => `1\r\n${octet}\r\n`).join('');
  const plane = await forwardPlane(t, [() => `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`]);
  const client = await RawHttp2Client.connect(plane.port);
  t.teardown(() => client.destroy());
  client.write(setting(INITIAL_WINDOW_SIZE, 0), client.headers(1, requestFields('GET', '/'), true));
  await client.until(({ type }) => type === FRAME.HEADERS);
  for (const end = performance.now() + 5_000; plane.log.length === 0 && performance.now() < end; await new Promise(setImmediate));
  t.is(plane.log[0]?.bytesOut, OCTETS, 'the proxy has all of it');
  t.false(client.frames.some(({ type }) => type === FRAME.DATA));
  client.write(setting(INITIAL_WINDOW_SIZE, 64 * 1024));
  await client.until(({ type, flags }) => type === FRAME.DATA && flags === 1);
  const data = client.frames.filter(({ type }) => type === FRAME.DATA);
  t.is(Buffer.concat(data.map(({ payload }) => payload)).toString(), text);
  t.true(data.length < 200, `${data.length} frames`);
});
