// What comes octet by octet and has to wait is put together: a piece of its own for each octet costs hundreds of times as much
// memory, and to hand on as many of them as a window allows takes seconds.
import ava from 'ava';
import { ReplayBody } from '../../../proxy/upstream/replay-body.ts';
import { ManualBody } from '../../support/endpoint-body.ts';
import { send, until } from '../../support/endpoint-call.ts';
import { data, head } from '../../support/http2-raw-endpoint.ts';
import { HTTP2_TRANSPORTS, http2To } from '../../support/http2-upstream.ts';
import { FRAME } from '../../support/raw-http2.ts';

const OCTETS = 5_000;
const text = Array.from({ length: OCTETS }, (_, nth) => String.fromCharCode(97 + (nth % 26))).join('');
const transport = HTTP2_TRANSPORTS[0]!;
const { cluster } = transport;

ava('an answer that comes octet by octet, with empty frames between, while its client takes nothing', async (t) => {
  const { raw, upstream } = await http2To(t, transport, (stream, connection) => {
    connection.write(head(stream), data(stream, '<'), ...[...text].flatMap((octet) => [data(stream, ''), data(stream, octet)]), data(stream, '', true));
  });
  const pieces: Buffer[] = [];
  const recorded = send(upstream, cluster, raw.endpoint, { onData: (piece, self) => {
    if (pieces.push(piece) === 1) self.call.pause();
  } });
  await until(() => pieces.length === 1);
  await raw.connections[0]!.roundTrip();
  recorded.call.resume();
  t.is((await recorded.over).error, undefined);
  t.is(Buffer.concat(pieces).toString(), `<${text}`);
  t.true(pieces.length < 10, `${pieces.length} pieces`);
});

ava('a body that comes octet by octet while its endpoint takes nothing', async (t) => {
  const { raw, upstream } = await http2To(t, transport, () => {}, { initialWindowSize: 0, takesData: false });
  const body = new ManualBody(undefined);
  const recorded = send(upstream, cluster, raw.endpoint, { method: 'POST', body });
  await until(() => body.started);
  for (const octet of text) body.push(octet);
  body.end();
  const [connection] = raw.connections;
  connection!.settings({ initialWindowSize: 1024 * 1024 });
  await until(() => raw.streams()[0]?.ended === true);
  const frames = connection!.seen(FRAME.DATA).map(({ payload }) => payload);
  t.is(Buffer.concat(frames).toString(), text);
  t.true(frames.length < 10, `${frames.length} frames`);
  recorded.call.abort();
});

ava('a body that comes octet by octet and may have to be sent again', (t) => {
  const source = new ManualBody(undefined);
  const body = new ReplayBody(source);
  const got: string[][] = [[], []];
  const sink = (nth: number) => ({ onData: (piece: Buffer) => void got[nth]!.push(piece.toString()), onEnd: () => void got[nth]!.push('.'), onAbort: () => {} });
  body.start(sink(0));
  for (const octet of text) source.push(octet);
  body.start(sink(1));
  source.push('!');
  source.end();
  t.is(got[0]!.join(''), text);
  t.is(got[1]!.join(''), `${text}!.`);
  t.true(got[1]!.length < 200, `${got[1]!.length} pieces`);
});
