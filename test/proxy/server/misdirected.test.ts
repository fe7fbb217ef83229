// Requests for a host that is passed through, over a connection that ends here: browsers send them where one certificate is
// good for both hosts. That host's routes have no say over TLS, so the client is told to make a connection of its own.
import { connect } from 'node:tls';
import test from 'ava';
import { request } from 'undici';
import { ask } from '../../support/https-client.ts';
import { SITE_CA, startTlsPlane } from '../../support/tls-plane.ts';
import type { TlsHost } from '../../support/tls-plane.ts';
import { issue } from '../../support/pki.ts';

const certificate = issue(SITE_CA, 'wildcard', { names: ['*.test'] });
const PASSED: TlsHost = { certificate, passthrough: { cluster: 'test/web:80', origin: { kind: 'Ingress', namespace: 'test', name: 'pass' } } };

for (const version of ['1.1', '2'] as const) {
  test(`HTTP/${version}: a request for a host that is passed through is misdirected on every connection that ends here`, async (t) => {
    const plane = await startTlsPlane(t, { hosts: { 'a.test': { certificate }, 'b.test': { certificate }, 'pass.test': PASSED } });
    // The client of HTTP/2 makes a URL of the name.
    const names = version === '2' ? ['a.test', 'nobody.test'] : ['a.test', 'nobody.test', ''];
    for (const serverName of names) {
      const answer = await ask(plane.httpsPort, serverName, { host: 'PASS.test:443', version });
      t.is(answer.status, 421, serverName);
      t.regex(answer.body, /MisdirectedRequest/);
      t.is(answer.headers['connection'], version === '2' ? undefined : 'close');
    }
    t.is(plane.requests.length, 0);
    t.deepEqual(plane.log.map(({ status, reason }) => `${status} ${reason}`), names.map(() => '421 MisdirectedRequest'));
    t.is((await ask(plane.httpsPort, 'a.test', { host: 'b.test', version })).status, 200, 'others share a connection as before');
    t.is((await ask(plane.httpsPort, 'a.test', { host: 'a.test', version })).status, 200);
    await plane.change({ hosts: { 'a.test': { certificate }, 'pass.test': { certificate } } });
    t.is((await ask(plane.httpsPort, 'a.test', { host: 'pass.test', version })).status, 200, 'once it is not passed through any more');
  });
}

test('HTTP/1.1: a misdirected request is the last of its connection, and nothing behind it is served', async (t) => {
  const plane = await startTlsPlane(t, { hosts: { 'a.test': { certificate }, 'pass.test': PASSED } });
  for (const version of ['1.0', '1.1']) {
    const socket = connect({ port: plane.httpsPort, host: '127.0.0.1', servername: 'a.test', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
    t.teardown(() => socket.destroy());
    socket.write(['pass.test', 'a.test'].map((host) => `GET / HTTP/${version}\r\nHost: ${host}\r\nConnection: keep-alive\r\n\r\n`).join(''));
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    t.deepEqual(text.match(/^(HTTP\/|connection:).*/gm), ['HTTP/1.1 421 Misdirected Request', 'connection: close']);
  }
  t.is(plane.requests.length, 0);
});

test('in clear text such a host is served by its routes', async (t) => {
  const plane = await startTlsPlane(t, { hosts: { 'a.test': { certificate }, 'pass.test': PASSED } });
  const { statusCode, body } = await request(`http://127.0.0.1:${plane.port}/`, { headers: { host: 'pass.test' } });
  t.deepEqual([statusCode, await body.text()], [200, 'endpoint pass.test']);
});
