// Every setting of TLS to endpoints, in each of its values, against endpoints whose certificates are good, self-signed, for
// another name, expired, from a chain that is long or revoked, or asked for one of ours.
import type tls from 'node:tls';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { UpstreamTls } from '../../../proxy/table/cluster.ts';
import { Dispatchers } from '../../../proxy/upstream/dispatchers.ts';
import { UndiciUpstream } from '../../../proxy/upstream/http1/undici-upstream.ts';
import { send, testCluster } from '../../support/endpoint-call.ts';
import { answer, rawEndpoint } from '../../support/endpoint-raw.ts';
import { authority, issue, revocationList } from '../../support/pki.ts';
import type { Identity } from '../../support/pki.ts';

const ROOT = authority('endpoint authority');
const FIRST = issue(ROOT, 'first', { ca: true });
const SECOND = issue(FIRST, 'second', { ca: true });
const NAMES = { names: ['web.shop.svc'] };
const PEERS = {
  good: issue(ROOT, 'good', NAMES),
  selfSigned: authority('self-signed', { ca: false, ...NAMES }),
  otherName: issue(ROOT, 'other name', { names: ['api.shop.svc'] }),
  expired: issue(ROOT, 'expired', { ...NAMES, until: -0.1 }),
  notYet: issue(ROOT, 'not yet', { ...NAMES, from: 0.1 }),
  foreign: issue(authority('foreign authority'), 'foreign', NAMES),
  long: issue(SECOND, 'long', NAMES),
  revoked: issue(ROOT, 'revoked', NAMES),
  underRevoked: issue(FIRST, 'under a revoked authority', NAMES),
} as const;
type Peer = keyof typeof PEERS;
const ALL = Object.keys(PEERS) as Peer[];

interface Handshake {
  readonly sni: string | false;
  readonly protocol: string | null;
  readonly cipher: string;
  readonly client: string | undefined;
}

/** `accepted` and what the endpoint saw, or the reason why it was not asked. */
async function reach(t: ExecutionContext, peer: Identity, settings: UpstreamTls, options: tls.TlsOptions = {}, certificates: Readonly<Record<string, Identity>> = {}): Promise<{ readonly result: string; readonly seen: readonly Handshake[] }> {
  const seen: Handshake[] = [];
  const raw = await rawEndpoint(answer('ok'), {
    tls: { cert: peer.chainPem === '' ? peer.certPem : peer.chainPem, key: peer.keyPem, ...options },
    onConnection(socket) {
      const secure = socket as tls.TLSSocket & { servername: string | false };
      seen.push({ sni: secure.servername, protocol: secure.getProtocol(), cipher: secure.getCipher().name, client: secure.getPeerCertificate().subject?.CN?.toString() });
    },
  });
  const dispatchers = new Dispatchers();
  t.teardown(async () => {
    await dispatchers.destroy();
    await raw.close();
  });
  dispatchers.retain({
    clusters: {},
    endpoints: {},
    certificates: Object.fromEntries(Object.entries(certificates).map(([name, { certPem, keyPem }]) => [name, { name, hostnames: [], notAfter: 0, chainPem: certPem, keyPem }])),
  });
  const got = await send(new UndiciUpstream(dispatchers), testCluster({ tls: settings }), raw.endpoint).over;
  return { result: got.error === undefined ? 'accepted' : got.error.reason, seen };
}

/** The peers that are accepted. */
async function accepted(t: ExecutionContext, settings: UpstreamTls, peers: readonly Peer[] = ALL): Promise<Peer[]> {
  const results = await Promise.all(peers.map(async (peer) => [peer, (await reach(t, PEERS[peer], settings)).result] as const));
  return results.filter(([, result]) => result === 'accepted').map(([peer]) => peer);
}

const VERIFIED: UpstreamTls = { verify: true, serverName: 'web.shop.svc', caPem: ROOT.certPem };

test('without verification everybody is accepted; with it, whose chain, name and dates are good', async (t) => {
  t.deepEqual(await accepted(t, { verify: false }), ALL);
  t.deepEqual(await accepted(t, { ...VERIFIED, verify: false }), ALL);
  t.deepEqual(await accepted(t, VERIFIED), ['good', 'long', 'revoked', 'underRevoked']);
});

test('the name is the one that is set, whoever asks', async (t) => {
  t.deepEqual(await accepted(t, { ...VERIFIED, serverName: 'api.shop.svc' }), ['otherName']);
  t.deepEqual(await accepted(t, { ...VERIFIED, serverName: 'shop.svc' }), []);
});

test('a chain may be as long as allowed', async (t) => {
  t.deepEqual(await accepted(t, { ...VERIFIED, depth: 1 }, ['good', 'long', 'underRevoked']), ['good', 'underRevoked']);
  t.deepEqual(await accepted(t, { ...VERIFIED, depth: 2 }, ['good', 'long', 'underRevoked']), ['good', 'long', 'underRevoked']);
  const shortCut = issue(authority(ROOT.name), 'second', { ca: true, from: -3, until: -1, key: SECOND.key });
  const disguised = { ...PEERS.long, chainPem: PEERS.long.certPem + shortCut.certPem + SECOND.certPem + FIRST.certPem };
  t.is((await reach(t, disguised, { ...VERIFIED, depth: 1 })).result, 'UpstreamConnectionFailure', 'what is sent along makes it no shorter');
});

test('with revocation lists, what is revoked is refused, and so is what no list speaks of', async (t) => {
  const root = revocationList(ROOT, [PEERS.revoked]);
  const peers = ['good', 'revoked', 'underRevoked', 'long'] as const;
  t.deepEqual(await accepted(t, { ...VERIFIED, crlPem: root }, peers), ['good'], 'nothing is known of what the others issued');
  t.deepEqual(await accepted(t, { ...VERIFIED, crlPem: root + revocationList(FIRST, []) + revocationList(SECOND, []) }, peers), ['good', 'underRevoked', 'long']);
  t.deepEqual(await accepted(t, { ...VERIFIED, crlPem: revocationList(ROOT, [FIRST]) + revocationList(FIRST, []) }, peers), ['good', 'revoked'], 'a revoked authority takes its certificates along');
  t.deepEqual(await accepted(t, { ...VERIFIED, crlPem: revocationList(ROOT, [], -1) }, peers), [], 'a list that is out of date');
});

test('a self-signed certificate is accepted where it is the authority itself', async (t) => {
  t.deepEqual(await accepted(t, { ...VERIFIED, caPem: PEERS.selfSigned.certPem }), ['selfSigned']);
});

test('the name is sent if it is to be, and only then', async (t) => {
  const sni = async (settings: UpstreamTls): Promise<string | false | undefined> => (await reach(t, PEERS.good, settings)).seen[0]?.sni;
  t.is(await sni(VERIFIED), 'web.shop.svc');
  t.false(await sni({ ...VERIFIED, sendServerName: false }));
  t.is(await sni({ ...VERIFIED, sendServerName: true }), 'web.shop.svc');
  t.false(await sni({ verify: false }));
});

test('versions and suites are those that are set', async (t) => {
  const negotiated = async (settings: Partial<UpstreamTls>, options: tls.TlsOptions = {}): Promise<string> => {
    const { result, seen } = await reach(t, PEERS.good, { ...VERIFIED, ...settings }, options);
    return result === 'accepted' ? `${seen[0]?.protocol} ${seen[0]?.cipher}` : result;
  };
  t.regex(await negotiated({}), /^TLSv1\.3 /);
  t.regex(await negotiated({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }), /^TLSv1\.2 /);
  t.regex(await negotiated({ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' }), /^TLSv1\.3 /);
  t.is(await negotiated({ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' }, { maxVersion: 'TLSv1.2' }), 'UpstreamConnectionFailure');
  t.is(await negotiated({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' }), 'TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305');
  t.is(await negotiated({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }), 'UpstreamConnectionFailure', 'none that this endpoint has');
});

test('an endpoint that asks for a certificate is shown the one that is set', async (t) => {
  const clients = authority('client authority');
  const own = issue(clients, 'fairlead');
  const asking: tls.TlsOptions = { requestCert: true, rejectUnauthorized: true, ca: clients.certPem };
  const shown = await reach(t, PEERS.good, { ...VERIFIED, clientCertificate: 'sha256/own' }, asking, { 'sha256/own': own });
  t.deepEqual([shown.result, shown.seen[0]?.client], ['accepted', 'fairlead']);
  t.not((await reach(t, PEERS.good, VERIFIED, asking)).result, 'accepted');
  t.not((await reach(t, PEERS.good, { ...VERIFIED, clientCertificate: 'sha256/other' }, asking, { 'sha256/other': issue(authority('nobody'), 'other') })).result, 'accepted');
});
