// The demo's application over real sockets, with fetch and the ws client; and the examples that it stands behind.
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { selfSigned } from '../../../certs/self-signed.ts';
import { startApplication, startApplications } from '../../../controller/demo/application.ts';
import type { Application } from '../../../controller/demo/application.ts';
import { tlsSecretManifest } from '../../../controller/demo/tls-secret.ts';
import { FileSource } from '../../../controller/files.ts';
import { decode } from '../../../controller/kube/decode.ts';
import type { EndpointSlice } from '../../../controller/kube/objects.ts';

async function start(t: ExecutionContext, name = 'shop-1'): Promise<Application> {
  const application = await startApplication({ name, address: '127.0.0.1', port: 0 });
  t.teardown(() => application.close());
  return application;
}

test('it answers with its name, the request line, the size of the body and the header fields', async (t) => {
  const { port } = await start(t);
  const response = await fetch(`http://127.0.0.1:${port}/cart?x=1`, { method: 'POST', body: 'hello', headers: { 'X-Forwarded-Proto': 'https' } });
  const text = await response.text();
  t.is(response.status, 200);
  t.true(text.startsWith('shop-1 got POST /cart?x=1 with 5 bytes\n\n'), text);
  t.regex(text, /^x-forwarded-proto: https$/im);
});

test('WebSocket messages of every size and kind come back, after a greeting', async (t) => {
  const { port } = await start(t);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/live`, { perMessageDeflate: false });
  const [greeting] = await once(socket, 'message');
  t.is(String(greeting), 'shop-1 echoes what you send to /live');
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 500_000]) {
    const sent = Buffer.alloc(size, 'é');
    socket.send(sent, { binary: true });
    const [received, binary] = await once(socket, 'message');
    t.true(binary);
    t.deepEqual(received, sent);
  }
  socket.send('hel', { fin: false });
  socket.send('lo', { fin: true });
  t.is(String((await once(socket, 'message'))[0]), 'hello');
  socket.ping('beat');
  t.is(String((await once(socket, 'pong'))[0]), 'beat');
  socket.close(4000, 'bye');
  t.is((await once(socket, 'close'))[0], 4000);
});

test('a frame that no client may send, and one that is too big, close the WebSocket with the code for it', async (t) => {
  const { port } = await start(t);
  for (const [bytes, code] of [[Buffer.from([0x81, 0x01, 0x61]), 1002], [Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 1, 2, 3, 4]), 1009]] as const) {
    const socket = connect(port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n');
    socket.write(bytes);
    const received: Buffer[] = [];
    for await (const chunk of socket) received.push(chunk as Buffer);
    const last = Buffer.concat(received).subarray(-4);
    t.is(last.readUInt16BE(0), 0x8802);
    t.is(last.readUInt16BE(2), code);
  }
});

test('closing it ends WebSockets and connections that are kept alive', async (t) => {
  const { port, close } = await start(t);
  await (await fetch(`http://127.0.0.1:${port}/`)).text();
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  await once(socket, 'message');
  const closed = once(socket, 'close');
  await close();
  await closed;
  await t.throwsAsync(fetch(`http://127.0.0.1:${port}/`));
});

test('there is one for every address and port of the slices, and none if one of them cannot start', async (t) => {
  const taken = await start(t);
  const slice = (namespace: string, ports: readonly (readonly [string, number])[]): EndpointSlice => {
    const decoded = decode({ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { namespace, name: 'web' }, addressType: 'IPv4', ports: ports.map(([name, port]) => ({ name, port })), endpoints: [{ addresses: ['127.0.0.1'] }] });
    if (decoded === 'passed over' || !('object' in decoded) || decoded.object.kind !== 'EndpointSlice') throw new Error(JSON.stringify(decoded));
    return decoded.object;
  };
  const [one, two] = [await start(t), await start(t)];
  const free = [one.port, two.port] as const;
  await Promise.all([one.close(), two.close()]);
  await t.throwsAsync(startApplications([slice('shop', [['http', free[0]]]), slice('blog', [['http', taken.port]])]), { message: /EADDRINUSE/ });
  const applications = await startApplications([slice('shop', [['http', free[0]], ['api', free[1]]])]);
  t.teardown(() => Promise.all(applications.map((application) => application.close())));
  t.deepEqual(applications.map(({ name }) => name), ['shop-1 http', 'shop-1 api']);
  t.regex(await (await fetch(`http://127.0.0.1:${free[1]}/`)).text(), /^shop-1 api got GET \/\n/);
});

test('the examples decode without any Problem, and hold no private key', async (t) => {
  const folder = fileURLToPath(new URL('../../../manifests/examples', import.meta.url));
  const source = new FileSource([folder], { watch: false });
  await source.start(() => {});
  t.deepEqual(source.problems(), []);
  const { Ingress, Service, EndpointSlice, IngressClass } = source.state.objects;
  t.true(Ingress.size >= 2 && IngressClass.size >= 1);
  for (const { metadata, ports } of Service.values()) {
    const slices = [...EndpointSlice.values()].filter((slice) => slice.serviceName === metadata.name && slice.metadata.namespace === metadata.namespace);
    t.deepEqual(slices.flatMap((slice) => slice.ports.map(({ name }) => name)), ports.map(({ name }) => name), 'every port of the Service has endpoints');
  }
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const entry of files) t.notRegex(readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8'), /PRIVATE KEY|tls\.key:/);
});

test('the Secret for the HTTPS example decodes to the certificate that was put in', (t) => {
  const certificate = selfSigned({ hostnames: ['shop.example.com'] });
  const decoded = decode(JSON.parse(tlsSecretManifest('shop', 'shop-tls', certificate)));
  if (decoded === 'passed over' || !('object' in decoded) || decoded.object.kind !== 'Secret') throw new Error('no Secret');
  t.is(decoded.object.type, 'kubernetes.io/tls');
  t.is(decoded.object.data.get('tls.crt')?.toString(), certificate.chainPem);
  t.is(decoded.object.data.get('tls.key')?.toString(), certificate.keyPem);
});
