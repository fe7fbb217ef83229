// Client certificates by host: who is let in, what the endpoint is told, and that nothing earned at one host counts at another.
import { X509Certificate } from 'node:crypto';
import test from 'ava';
import { request } from 'undici';
import type { FilterSpec } from '../../../proxy/table/filter.ts';
import type { ClientCertificates } from '../../../proxy/table/route.ts';
import { route } from '../../support/data-plane.ts';
import { ask } from '../../support/https-client.ts';
import { folder, sClient, withOpenssl } from '../../support/openssl.ts';
import { authority, issue, pem, revocationList } from '../../support/pki.ts';
import type { Identity } from '../../support/pki.ts';
import { clientCertificates, startTlsPlane } from '../../support/tls-plane.ts';
import type { TlsHost } from '../../support/tls-plane.ts';

const ONE = authority('clients of one');
const TWO = authority('clients of two');
const ann = issue(ONE, 'ann', { subject: [['C', 'DE'], ['O', 'Ü, + Söhne'], ['CN', 'ann']] });
const bob = issue(TWO, 'bob');
const expired = issue(ONE, 'expired', { until: -0.1 });

type Config = Extract<FilterSpec, { type: 'client-certificate' }>['config'];

function asking(ca: Identity, config: Partial<Config> = {}, more: Partial<ClientCertificates> = {}): TlsHost {
  const policy = clientCertificates(ca, more);
  const filter: FilterSpec = { type: 'client-certificate', config: { policy: policy.name, verify: 'on', ...config } };
  return { tls: { clientCertificates: policy }, routes: [{ ...route('/', 'test/web:80'), filters: [filter] }] };
}

const HOSTS = { 'a.test': asking(ONE), 'b.test': asking(TWO), 'open.test': {}, 'other.test': {} };

for (const version of ['1.1', '2'] as const) {
  test(`HTTP/${version}: only a certificate of the host's own authority gets in, and the endpoint is told whose it is`, async (t) => {
    const plane = await startTlsPlane(t, { hosts: HOSTS });
    const forged = { 'ssl-client-verify': 'SUCCESS', 'ssl-client-subject-dn': 'CN=root', 'ssl-client-cert': 'x' };
    t.is((await ask(plane.httpsPort, 'a.test', { version, headers: forged })).status, 400);
    t.regex((await ask(plane.httpsPort, 'a.test', { version, client: bob })).body, /ClientCertificateInvalid/);
    t.is((await ask(plane.httpsPort, 'a.test', { version, client: expired })).status, 400);
    t.is(plane.requests.length, 0);

    t.is((await ask(plane.httpsPort, 'a.test', { version, client: ann, headers: forged })).status, 200);
    const headers = plane.requests[0]?.headers;
    t.is(headers?.get('ssl-client-verify'), 'SUCCESS');
    t.is(headers?.get('ssl-client-subject-dn'), 'CN=ann,O=\\C3\\9C\\, \\+ S\\C3\\B6hne,C=DE');
    t.is(headers?.get('ssl-client-issuer-dn'), 'CN=clients of one');
    t.false(headers?.has('ssl-client-cert'));

    t.is((await ask(plane.httpsPort, 'open.test', { version, client: ann, headers: forged })).status, 200);
    t.deepEqual([...(plane.requests[1]?.headers.keys() ?? [])].filter((name) => name.startsWith('ssl')), []);
  });

  test(`HTTP/${version}: a request for another host than the connection's is misdirected where either asks for certificates`, async (t) => {
    const plane = await startTlsPlane(t, { hosts: { ...HOSTS, 'same.test': asking(ONE) } });
    for (const [serverName, host, client] of [['open.test', 'a.test', undefined], ['a.test', 'open.test', ann], ['a.test', 'b.test', ann], ['b.test', 'a.test', bob], ['a.test', 'same.test', ann], ['a.test', 'nobody.test', ann], ['nobody.test', 'a.test', undefined]] as const) {
      const answer = await ask(plane.httpsPort, serverName, { host, version, ...(client !== undefined && { client }) });
      t.is(answer.status, 421, `${serverName} ${host}`);
      t.regex(answer.body, /MisdirectedRequest/);
    }
    t.is(plane.requests.length, 0);
    t.is((await ask(plane.httpsPort, 'open.test', { host: 'other.test', version })).status, 200, 'two hosts that ask for nothing share a connection');
    t.is((await ask(plane.httpsPort, 'A.TEST.', { host: 'a.TEST:443', version, client: ann })).status, 200);
  });
}

test('an upgrade is held to the same, and its endpoint told the same', async (t) => {
  const plane = await startTlsPlane(t, { hosts: HOSTS });
  const upgrade = { connection: 'upgrade, close', upgrade: 'websocket', 'sec-websocket-key': 'x3JJHMbDL1EzLkh9GBhXDw==', 'sec-websocket-version': '13', 'ssl-client-verify': 'SUCCESS', 'SSL_CLIENT_VERIFY': 'SUCCESS' };
  t.is((await ask(plane.httpsPort, 'a.test', { headers: upgrade })).status, 400);
  t.is((await ask(plane.httpsPort, 'a.test', { headers: upgrade, client: bob })).status, 400);
  t.is((await ask(plane.httpsPort, 'b.test', { host: 'a.test', headers: upgrade, client: bob })).status, 421);
  t.is(plane.requests.length, 0);
  t.is((await ask(plane.httpsPort, 'a.test', { headers: upgrade, client: ann })).status, 101);
  t.is(plane.requests[0]?.headers.get('ssl-client-verify'), 'SUCCESS');
  t.is([...(plane.requests[0]?.headers.keys() ?? [])].filter((name) => /^ssl.client.verify$/.test(name)).length, 1);
});

test('optional takes none or a good one; report takes anybody and says so; off asks nobody', async (t) => {
  const plane = await startTlsPlane(t, { hosts: { 'optional.test': asking(ONE, { verify: 'optional' }), 'report.test': asking(ONE, { verify: 'report' }), 'off.test': { routes: [{ ...route('/', 'test/web:80'), filters: [{ type: 'client-certificate', config: { policy: '', verify: 'off' } }] }] } } });
  const verdict = async (name: string, client?: Identity): Promise<string> => {
    const { status } = await ask(plane.httpsPort, name, client === undefined ? {} : { client });
    return status === 200 ? `${plane.requests.at(-1)?.headers.get('ssl-client-verify')}` : String(status);
  };
  t.deepEqual([await verdict('optional.test'), await verdict('optional.test', ann), await verdict('optional.test', bob), await verdict('optional.test', expired)], ['NONE', 'SUCCESS', '400', '400']);
  t.deepEqual([await verdict('report.test'), await verdict('report.test', ann)], ['NONE', 'SUCCESS']);
  t.regex(await verdict('report.test', bob), /^FAILED:unable to/);
  t.is(await verdict('report.test', expired), 'FAILED:cert has expired');
  t.is(await verdict('off.test', ann), 'NONE');
});

test('a subject must match, an error page is redirected to, and the certificate itself is passed on where wanted', async (t) => {
  const errorPage = 'https://errors.test/certificate?x=1';
  const plane = await startTlsPlane(t, { hosts: {
    'subject.test': asking(ONE, { subject: 'CN=(ann|eve)(,|$)', passCertificate: true }), 'nobody.test': asking(ONE, { subject: 'CN=eve' }),
    'page.test': asking(ONE, { errorPage }), 'claimed.test': asking(ONE, { verify: 'report', subject: 'CN=ann' }),
  } });
  t.is((await ask(plane.httpsPort, 'subject.test', { client: ann })).status, 200);
  t.is(decodeURIComponent(plane.requests[0]?.headers.get('ssl-client-cert') ?? '').trim(), ann.certPem.trim());
  t.is((await ask(plane.httpsPort, 'nobody.test', { client: ann })).status, 403);
  const page = await ask(plane.httpsPort, 'page.test');
  t.deepEqual([page.status, page.headers['location']], [302, errorPage]);
  t.is((await ask(plane.httpsPort, 'page.test', { client: bob })).status, 302);
  const pretender = issue(authority('nobody knows'), 'ann');
  t.is((await ask(plane.httpsPort, 'claimed.test', { client: pretender })).status, 403, 'a subject that nobody vouches for matches nothing');
});

test('in clear text, where nobody can show a certificate, nobody is served', async (t) => {
  const plane = await startTlsPlane(t, { hosts: { 'a.test': asking(ONE), 'open.test': asking(ONE, { clearText: true }), 'optional.test': asking(ONE, { verify: 'optional' }), 'subject.test': asking(ONE, { verify: 'optional', subject: 'CN=ann' }) } });
  const plain = async (host: string): Promise<number> => {
    const answer = await request(`http://127.0.0.1:${plane.port}/`, { headers: { host, 'ssl-client-verify': 'SUCCESS' } });
    await answer.body.dump();
    return answer.statusCode;
  };
  t.deepEqual([await plain('a.test'), await plain('open.test'), await plain('optional.test'), await plain('subject.test')], [403, 200, 200, 403]);
  t.deepEqual(plane.requests.map(({ headers }) => headers.get('ssl-client-verify')), ['NONE', 'NONE']);
});

test('a chain may hold as many intermediates as allowed, a revoked certificate is none, and each policy knows its own', async (t) => {
  const first = issue(ONE, 'first', { ca: true });
  const second = issue(first, 'second', { ca: true });
  const near = issue(first, 'near');
  const far = issue(second, 'far');
  const gone = issue(ONE, 'gone');
  const crlPem = revocationList(ONE, [gone]);
  const plane = await startTlsPlane(t, { hosts: { 'one.test': asking(ONE), 'two.test': asking(ONE, {}, { depth: 2 }), 'crl.test': asking(ONE, {}, { crlPem }), 'old.test': asking(ONE, {}, { crlPem: revocationList(ONE, [], -1) }) } });
  const status = (name: string, client: Identity): Promise<number | string> => ask(plane.httpsPort, name, { client }).then((answer) => answer.status, () => 'cut');
  t.deepEqual([await status('one.test', near), await status('one.test', far), await status('two.test', far)], [200, 'cut', 200]);
  t.deepEqual([await status('crl.test', ann), await status('crl.test', gone), await status('one.test', gone)], [200, 400, 200]);
  t.is(await status('old.test', ann), 400, 'a list that is out of date vouches for nobody');
  t.is(await status('crl.test', near), 400, 'an authority without a list cannot be looked up');
});

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`${maxVersion}: a chain does not look shorter for what the client adds to it`, async (t) => {
    const first = issue(ONE, 'first', { ca: true });
    const second = issue(first, 'second', { ca: true });
    const far = issue(second, 'far');
    const plane = await startTlsPlane(t, { hosts: { 'one.test': asking(ONE), 'two.test': asking(ONE, {}, { depth: 2 }) } });
    const forger = authority(ONE.name);
    // OpenSSL passes over what is out of date, and over what no anchor vouches for; Node tells of what has the name of an issuer.
    const old = { ca: true, from: -3, until: -1 };
    const shortCuts = [issue(forger, 'second', old), issue(forger, 'second', { ...old, key: second.key }), issue(ONE, 'second', { ...old, key: second.key })];
    for (const shortCut of shortCuts) {
      for (const more of ['', forger.certPem]) {
        const client = { ...far, chainPem: far.certPem + shortCut.certPem + second.certPem + first.certPem + more };
        await t.throwsAsync(ask(plane.httpsPort, 'one.test', { client, maxVersion }));
      }
    }
    t.is((await ask(plane.httpsPort, 'two.test', { client: far, maxVersion })).status, 200);
    t.is((await ask(plane.httpsPort, 'one.test', { client: { ...ann, chainPem: ann.certPem + ONE.certPem }, maxVersion })).status, 200, 'the anchor itself may be sent');
    t.is(plane.requests.length, 2);
  });
}

test('an authority with a key of an unknown kind keeps nobody out, and lets nobody in', async (t) => {
  const caPem = withUnknownKey(authority('of an unknown kind')) + ONE.certPem;
  const plane = await startTlsPlane(t, { hosts: { 'a.test': asking({ ...ONE, certPem: caPem }) } });
  t.is((await ask(plane.httpsPort, 'a.test', { client: ann })).status, 200);
  t.is((await ask(plane.httpsPort, 'a.test', { client: bob })).status, 400);
});

/** The certificate with a key of a kind that nobody knows. */
function withUnknownKey({ certPem }: Identity): string {
  const { raw } = new X509Certificate(certPem);
  // id-ecPublicKey
  const at = raw.indexOf(Buffer.from('2a8648ce3d0201', 'hex'));
  raw[at + 6] = 9;
  return pem('CERTIFICATE', raw);
}

for (const version of ['tls1_2', 'tls1_3'] as const) {
  withOpenssl(`${version}: a session is resumed at its own host, and is worth nothing at a host with another authority, or after its policy changed`, async (t) => {
    const plane = await startTlsPlane(t, { hosts: HOSTS });
    const dir = folder(t);
    const connect = (serverName: string, more: Partial<Parameters<typeof sClient>[1]> = {}) => sClient(dir, { port: plane.httpsPort, serverName, version, ...more });
    t.is((await connect('a.test', { client: ann, saveSession: 'a' })).status, 200);
    t.is((await connect('open.test', { saveSession: 'open' })).status, 200);

    const again = await connect('a.test', { session: 'a' });
    t.deepEqual([again.resumed, again.status], [true, 200], 'with the session alone, without the certificate');
    t.is(plane.requests.at(-1)?.headers.get('ssl-client-subject-dn'), 'CN=ann,O=\\C3\\9C\\, \\+ S\\C3\\B6hne,C=DE');
    const count = plane.requests.length;
    for (const [serverName, session] of [['b.test', 'a'], ['a.test', 'open'], ['b.test', 'open']] as const) {
      const answer = await connect(serverName, { session });
      t.deepEqual([answer.resumed, answer.status], [false, 400], `${session} at ${serverName}`);
    }
    const elsewhere = await connect('open.test', { session: 'a', host: 'a.test' });
    t.deepEqual([elsewhere.resumed, elsewhere.status], [false, 421]);
    t.is((await connect('b.test', { session: 'a', host: 'a.test' })).status, 421);
    t.is(plane.requests.length, count, 'nobody got in');

    await plane.change({ hosts: { ...HOSTS, 'a.test': asking(ONE, {}, { crlPem: revocationList(ONE, [ann]) }) } });
    const revoked = await connect('a.test', { session: 'a' });
    t.deepEqual([revoked.resumed, revoked.status], [false, 400], 'under another policy there is nothing to resume');
  });

  withOpenssl(`${version}: a certificate that has expired since is not believed for a session that it began`, async (t) => {
    const brief = issue(ONE, 'brief', { until: 10 / 86_400 });
    const end = new X509Certificate(brief.certPem).validToDate.getTime();
    const plane = await startTlsPlane(t, { hosts: { ...HOSTS, 'report.test': asking(ONE, { verify: 'report' }) } });
    const dir = folder(t);
    const connect = (serverName: string, more: Partial<Parameters<typeof sClient>[1]>) => sClient(dir, { port: plane.httpsPort, serverName, version, ...more });
    t.is((await connect('a.test', { client: brief, saveSession: 'brief' })).status, 200);
    t.is((await connect('report.test', { session: 'brief' })).status, 200);
    t.is(plane.requests.at(-1)?.headers.get('ssl-client-verify'), 'SUCCESS');
    await new Promise((resolve) => setTimeout(resolve, end - Date.now() + 1_100));
    const late = await connect('a.test', { session: 'brief' });
    t.deepEqual([late.resumed, late.status], [true, 400]);
    t.is((await connect('report.test', { session: 'brief' })).status, 200);
    t.is(plane.requests.at(-1)?.headers.get('ssl-client-verify'), 'FAILED:cert has expired');
  });

  withOpenssl(`${version}: a chain that is too long gets no session`, async (t) => {
    const first = issue(ONE, 'first', { ca: true });
    const far = issue(issue(first, 'second', { ca: true }), 'far');
    const plane = await startTlsPlane(t, { hosts: HOSTS });
    const dir = folder(t);
    const answer = await sClient(dir, { port: plane.httpsPort, serverName: 'a.test', version, client: far, saveSession: 'far' });
    t.is(answer.status, undefined);
    t.notRegex(answer.output, /session ticket:/);
  });
}

test('settings that OpenSSL does not take close their host and nothing else', async (t) => {
  const broken = asking(ONE, {}, { crlPem: '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n' });
  const plane = await startTlsPlane(t, { hosts: { ...HOSTS, 'broken.test': broken, 'ciphers.test': { tls: { ciphers: 'NO-SUCH-CIPHER' } } } });
  await t.throwsAsync(ask(plane.httpsPort, 'broken.test', { client: ann }));
  await t.throwsAsync(ask(plane.httpsPort, 'ciphers.test'));
  t.is((await ask(plane.httpsPort, 'a.test', { client: ann })).status, 200);
  t.is((await ask(plane.httpsPort, 'open.test')).status, 200);
});
