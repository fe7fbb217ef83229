// TLS termination: which certificate a name gets, whatever the name is; versions, suites and sessions; and a certificate that
// changes while connections are open.
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import test from 'ava';
import { endpoint } from '../../support/data-plane.ts';
import { certificateFor, clientHello } from '../../support/hello.ts';
import { ask } from '../../support/https-client.ts';
import { folder, sClient, withOpenssl } from '../../support/openssl.ts';
import { authority, issue } from '../../support/pki.ts';
import { packedTls } from '../../support/packed-tls.ts';
import { DEFAULT, SITE_CA, certificateOf, clientCertificates, startTlsPlane } from '../../support/tls-plane.ts';
import type { TlsTable } from '../../support/tls-plane.ts';

for (const looking of [false, true]) {
  const how = looking ? 'with a look at the ClientHello' : 'by SNI alone';
  test(`a name gets its own certificate, a wildcard's, or the default one, and a hostile name crashes nothing (${how})`, async (t) => {
    const special: TlsTable['hosts'] = looking ? { 'special.test': { tls: { maxVersion: 'TLSv1.2' } } } : {};
    const plane = await startTlsPlane(t, { hosts: { 'shop.example.com': {}, '*.example.com': {}, 'xn--caf-dma.test': {}, '*': {}, ...special } });
    const cn = (serverName: Buffer | string): Promise<string> => certificateFor(plane.httpsPort, clientHello({ serverName }));
    const names: readonly (readonly [Buffer | string, string])[] = [
      ['shop.example.com', 'shop.example.com'], ['SHOP.Example.COM', 'shop.example.com'], ['shop.example.com.', 'shop.example.com'],
      ['blog.example.com', '*.example.com'], ['a.b.example.com', 'default'], ['example.com', 'default'], ['xn--caf-dma.test', 'xn--caf-dma.test'],
      ['', 'default'], ['127.0.0.1', 'default'], ['::1', 'default'], ['[::1]', 'default'], ['*.example.com', 'default'], ['.example.com', 'default'], ['shop.example.com..', 'default'],
      ['__proto__', 'default'], ['constructor.example.com', '*.example.com'], ['shop example.com', 'default'], ['café.test', 'default'],
      [Buffer.from('café.example.com', 'utf8'), 'default'], [Buffer.from('shop。example.com', 'utf8'), 'default'], [Buffer.from('\u212Ashop.example.com', 'utf8'), 'default'],
      [Buffer.from([0xff, 0xfe, 0x80]), 'default'], [`${'a'.repeat(64)}.example.com`, '*.example.com'], [`${'a.'.repeat(126)}b`, 'default'],
    ];
    for (const [name, expected] of names) t.is(await cn(name), expected, JSON.stringify(name.toString()));
    // OpenSSL ends these handshakes itself.
    for (const name of ['shop.example.com\0.evil.test', '\0', 'a'.repeat(256), 'x'.repeat(4000)]) t.is(await cn(name), 'refused', `${name.length} bytes`);
    t.is(await certificateFor(plane.httpsPort, clientHello()), 'default', 'no name at all');
    t.is(await cn('shop.example.com'), 'shop.example.com');
  });
}

test('a hello that is spread over records and packets still finds its host', async (t) => {
  const plane = await startTlsPlane(t, { hosts: { 'old.test': { tls: { maxVersion: 'TLSv1.2' } }, 'a.test': {} } });
  t.is(await certificateFor(plane.httpsPort, clientHello({ serverName: 'old.test', recordBytes: 20 })), 'old.test');
  const socket = connect(plane.httpsPort, '127.0.0.1');
  socket.setNoDelay(true);
  const hello = clientHello({ serverName: 'old.test' });
  const answered = new Promise((resolve) => socket.once('data', resolve));
  for (const byte of hello) {
    socket.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await answered;
  socket.destroy();
  t.pass();
});

test('versions and suites are those of the host, else those of the listener', async (t) => {
  const aes256 = 'ECDHE-ECDSA-AES256-GCM-SHA384';
  const plane = await startTlsPlane(t, { hosts: {
    'a.test': {}, 'old.test': { tls: { maxVersion: 'TLSv1.2' } }, 'new.test': { tls: { minVersion: 'TLSv1.3' } }, 'suite.test': { tls: { ciphers: aes256 } }, 'client.test': { tls: { preferClientCiphers: true } },
  } });
  const negotiated = (servername: string, options = {}): Promise<string> => new Promise((resolve) => {
    const socket: TLSSocket = tlsConnect({ port: plane.httpsPort, host: '127.0.0.1', servername, rejectUnauthorized: false, ...options }, () => {
      resolve(`${socket.getProtocol()} ${socket.getCipher().name}`);
      socket.destroy();
    });
    socket.on('error', () => resolve('refused'));
  });
  t.regex(await negotiated('a.test'), /^TLSv1\.3 /);
  t.regex(await negotiated('old.test'), /^TLSv1\.2 ECDHE-ECDSA-AES128-GCM-SHA256$/);
  t.is(await negotiated('new.test', { maxVersion: 'TLSv1.2' }), 'refused');
  t.is(await negotiated('suite.test', { maxVersion: 'TLSv1.2' }), `TLSv1.2 ${aes256}`);
  t.is(await negotiated('suite.test', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }), 'refused');
  const reversed = `${aes256}:ECDHE-ECDSA-AES128-GCM-SHA256`;
  t.is(await negotiated('a.test', { maxVersion: 'TLSv1.2', ciphers: reversed }), 'TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256', 'the server chooses');
  t.is(await negotiated('client.test', { maxVersion: 'TLSv1.2', ciphers: reversed }), `TLSv1.2 ${aes256}`, 'the client chooses');
  for (const ciphers of ['AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES128-SHA256', 'AES128-SHA', 'NULL-SHA256@SECLEVEL=0']) {
    t.is(await negotiated('a.test', { maxVersion: 'TLSv1.2', ciphers }), 'refused', `${ciphers}: only AEAD suites with forward secrecy`);
  }
  for (const maxVersion of ['TLSv1', 'TLSv1.1']) t.is(await negotiated('a.test', { minVersion: 'TLSv1', maxVersion, ciphers: 'DEFAULT@SECLEVEL=0' }), 'refused', maxVersion);
});

test('RSA and ECDSA and Ed25519 certificates are served', async (t) => {
  const hosts = Object.fromEntries((['rsa', 'ec', 'ed25519'] as const).map((key) => [`${key}.test`, { certificate: issue(SITE_CA, `${key}.test`, { names: [`${key}.test`], key }) }]));
  const plane = await startTlsPlane(t, { hosts });
  for (const name of Object.keys(hosts)) t.like(await ask(plane.httpsPort, name, { ca: SITE_CA.certPem, rejectUnauthorized: true }), { status: 200, cn: name });
});

test('the whole chain is sent', async (t) => {
  const middle = issue(SITE_CA, 'middle', { ca: true });
  const plane = await startTlsPlane(t, { hosts: { 'a.test': { certificate: issue(middle, 'a.test', { names: ['a.test'] }) } } });
  t.is((await ask(plane.httpsPort, 'a.test', { ca: SITE_CA.certPem, rejectUnauthorized: true })).status, 200);
});

test('a changed certificate serves the next handshake, and open connections live on', async (t) => {
  const first = issue(SITE_CA, 'first', { names: ['a.test'] });
  const plane = await startTlsPlane(t, { hosts: { 'a.test': { certificate: first }, 'b.test': {} } });
  const open = tlsConnect({ port: plane.httpsPort, host: '127.0.0.1', servername: 'a.test', rejectUnauthorized: false });
  await new Promise((resolve) => open.once('secureConnect', resolve));
  for (let nth = 0; nth < 5; nth++) {
    const certificate = issue(SITE_CA, `next ${nth}`, { names: ['a.test'] });
    await plane.change({ hosts: { 'a.test': { certificate }, 'b.test': {} } });
    t.is((await ask(plane.httpsPort, 'a.test')).cn, `next ${nth}`);
    t.is((await ask(plane.httpsPort, 'b.test')).cn, 'b.test');
  }
  open.write('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n');
  const answer = await new Promise<string>((resolve) => open.once('data', (chunk) => resolve(String(chunk))));
  t.regex(answer, /^HTTP\/1\.1 200 /);
});

for (const version of ['tls1_2', 'tls1_3'] as const) {
  withOpenssl(`${version}: a session is resumed by whichever worker answers, and by none after the secret changed`, async (t) => {
    const hosts = { 'a.test': {}, 'asking.test': { tls: { clientCertificates: clientCertificates(authority('clients')) } } };
    const workers = [await startTlsPlane(t, { hosts }), await startTlsPlane(t, { hosts }), await startTlsPlane(t, { hosts })] as const;
    const secret = createHash('sha256').update('shared').digest();
    workers[0].server.setTicketSecret(secret);
    workers[1].server.setTicketSecret(Buffer.from(secret));
    const dir = folder(t);
    for (const serverName of ['a.test', 'nobody.test']) {
      t.false((await sClient(dir, { port: workers[0].httpsPort, serverName, version, saveSession: 's' })).resumed);
      const resumed = [];
      for (const { httpsPort: port } of workers) resumed.push((await sClient(dir, { port, serverName, version, session: 's' })).resumed);
      t.deepEqual(resumed, [true, true, false], serverName);
    }
    workers[1].server.setTicketSecret(createHash('sha256').update('next').digest());
    t.false((await sClient(dir, { port: workers[1].httpsPort, serverName: 'a.test', version, session: 's' })).resumed);
    t.true((await sClient(dir, { port: workers[0].httpsPort, serverName: 'a.test', version, session: 's' })).resumed);
  });

  withOpenssl(`${version}: sessions outlive a new default certificate`, async (t) => {
    const plane = await startTlsPlane(t, { hosts: { 'a.test': {} } });
    const dir = folder(t);
    await sClient(dir, { port: plane.httpsPort, serverName: 'a.test', version, saveSession: 's' });
    const next = certificateOf(issue(SITE_CA, 'next default', { names: ['x.test'] }));
    const listener = plane.server.snapshot.listeners['listener/https'];
    await plane.change({ hosts: { 'a.test': {} }, listener: { ...listener, tls: { minVersion: 'TLSv1.2', defaultCertificate: next.name } }, more: { certificates: { [next.name]: next } } });
    t.is((await ask(plane.httpsPort, 'nobody.test')).cn, 'next default');
    t.true((await sClient(dir, { port: plane.httpsPort, serverName: 'a.test', version, session: 's' })).resumed);
  });
}

withOpenssl('clients cannot renegotiate', async (t) => {
  const plane = await startTlsPlane(t, { hosts: { 'a.test': {} } });
  const { spawn } = await import('node:child_process');
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${plane.httpsPort}`, '-servername', 'a.test', '-tls1_2'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('latin1').on('data', (text: string) => {
      if (!output.includes('Verify return code') && (output + text).includes('Verify return code')) child.stdin.write('R\n');
      output += text;
      if (/no renegotiation/i.test(output)) child.kill();
    });
  }
  child.stdin.on('error', () => undefined);
  await new Promise((resolve) => child.once('close', resolve));
  t.regex(output, /RENEGOTIATING/);
  t.regex(output, /no renegotiation/i);
});

test('a staple is sent to whoever asks for one, as long as it is good', async (t) => {
  const certificate = issue(SITE_CA, 'a.test', { names: ['a.test'] });
  const { name } = certificateOf(certificate);
  const staple = async (validUntil: number | undefined): Promise<string | undefined> => {
    const ocsp = validUntil === undefined ? {} : { ocsp: { response: Buffer.from('an answer').toString('base64'), validUntil } };
    await plane.change({ hosts: { 'a.test': { certificate }, 'b.test': {} }, more: { certificates: { [name]: { ...certificateOf(certificate), ...ocsp } } } });
    return new Promise((resolve, reject) => {
      const socket = tlsConnect({ port: plane.httpsPort, host: '127.0.0.1', servername: 'a.test', rejectUnauthorized: false, requestOCSP: true });
      socket.on('error', reject);
      socket.on('OCSPResponse', (response: Buffer | null) => {
        resolve(response?.toString());
        socket.destroy();
      });
    });
  };
  const plane = await startTlsPlane(t, { hosts: { 'a.test': { certificate }, 'b.test': {} } });
  t.is(await staple(undefined), undefined);
  t.is(await staple(Date.now() + 60_000), 'an answer');
  t.is((await ask(plane.httpsPort, 'b.test', { requestOCSP: true })).status, 200);
  t.is(await staple(Date.now() - 1), undefined);
  t.is(DEFAULT.name, 'default');
});

test('an upload whose records come in one packet with its head reaches the endpoint whole, by length and chunked', async (t) => {
  const backend = createServer((request, response) => {
    const hash = createHash('sha256');
    request.on('data', (chunk) => hash.update(chunk)).on('end', () => response.end(hash.digest('hex')));
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void backend.close());
  const plane = await startTlsPlane(t, { hosts: { 'a.test': {} }, more: { endpoints: { 'test/web:80': [endpoint((backend.address() as AddressInfo).port)] } } });
  for (const chunked of [false, true]) {
    for (const sizes of [[50, 50], [3000, 16_000, 1, 16_384], Array.from({ length: 20 }, () => 16_384)]) {
      const pieces = sizes.map((size) => randomBytes(size));
      const body = Buffer.concat(pieces);
      const client = await packedTls(plane.httpsPort, { servername: 'a.test', ca: SITE_CA.certPem });
      const answered = new Promise<string>((resolve) => {
        let text = '';
        client.socket.on('data', (chunk: Buffer) => {
          text += chunk.toString('latin1');
          if (/[0-9a-f]{64}/.test(text)) resolve(text);
        });
        client.socket.once('close', () => resolve(`${text} (closed)`));
      });
      const head = Buffer.from(`POST / HTTP/1.1\r\nhost: a.test\r\n${chunked ? 'transfer-encoding: chunked' : `content-length: ${body.length}`}\r\n\r\n`);
      const chunks = chunked ? [...pieces.map((piece) => Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])), Buffer.from('0\r\n\r\n')] : pieces;
      await client.send([head, ...chunks]);
      const answer = await Promise.race([answered, new Promise<string>((resolve) => setTimeout(resolve, 5000, 'no answer').unref())]);
      t.true(answer.includes(createHash('sha256').update(body).digest('hex')), `${sizes.length} pieces, chunked ${chunked}: ${answer}`);
      client.socket.destroy();
    }
  }
});

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`${maxVersion}: a client that closes its side with its first request is answered, and one that closes it before is forgotten`, async (t) => {
    const plane = await startTlsPlane(t, { hosts: { 'a.test': {} } });
    for (let nth = 0; nth < 20; nth++) {
      const text = await new Promise<string>((resolve, reject) => {
        const socket = tlsConnect({ port: plane.httpsPort, host: '127.0.0.1', servername: 'a.test', ca: SITE_CA.certPem, maxVersion, allowHalfOpen: true } as ConnectionOptions);
        // Before the handshake, so that all of it leaves at once when it is done.
        socket.end('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
        let seen = '';
        socket.setEncoding('latin1').on('data', (chunk) => (seen += String(chunk)));
        socket.on('error', reject);
        socket.on('close', () => resolve(seen));
      });
      t.regex(text, /^HTTP\/1\.1 200 /);
    }
    const closedAt = performance.now();
    await new Promise<void>((resolve) => {
      const socket = connect(plane.httpsPort, '127.0.0.1', () => socket.end(clientHello({ serverName: 'a.test' }).subarray(0, 40)));
      socket.resume();
      socket.on('close', () => resolve());
    });
    t.true(performance.now() - closedAt < 4_000);
  });
}
