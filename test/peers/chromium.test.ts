// Chromium loads a page through Fairlead, over HTTP/1.1 in clear text and HTTP/2 over TLS: many resources at once, an upload,
// an answer that is given up, events, cookies, and WebSockets. The page itself reports what came of each.
import { createHash, X509Certificate } from 'node:crypto';
import { spawn } from 'node:child_process';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { eventually } from '../support/fairlead-http.ts';
import { temporaryFolder } from '../support/fairlead-run.ts';
import { PLAIN_HOST, TLS_HOST, startPeerSite } from '../support/peer-site.ts';
import { has } from '../support/program.ts';

const PAGE = `<!doctype html><title>peers</title><script>
const text = async (path, options) => (await fetch(path, options)).text();
const checks = {
  async many() {
    const answers = await Promise.all(Array.from({ length: 60 }, (_, nth) => text('/many/' + nth)));
    return answers.every((answer, nth) => answer === 'GET /many/' + nth + ' 0');
  },
  upload: async () => (await text('/upload', { method: 'POST', body: 'u'.repeat(700000) })) === 'POST /upload 700000',
  large: async () => (await text('/large')).length === 3000000,
  async abort() {
    const abort = new AbortController();
    const response = await fetch('/endless', { signal: abort.signal });
    await response.body.getReader().read();
    abort.abort();
    return (await text('/after')) === 'GET /after 0';
  },
  async cookies() {
    await text('/cookies');
    return (await text('/cookies')) === 'a=1; b=2';
  },
  events: () => new Promise((resolve) => {
    const source = new EventSource('/events');
    const seen = [];
    source.onmessage = ({ data }) => {
      if (seen.push(data) === 5) {
        source.close();
        resolve(seen.join('') === '01234');
      }
    };
  }),
  socket: () => new Promise((resolve) => {
    const socket = new WebSocket('/live');
    const sent = ['hello', 'x'.repeat(1000000), ...Array.from({ length: 100 }, (_, nth) => 'message ' + nth)];
    const seen = [];
    socket.onopen = () => sent.forEach((message) => socket.send(message));
    socket.onmessage = ({ data }) => {
      if (seen.push(data) === sent.length) socket.close(1000);
    };
    socket.onclose = ({ code }) => resolve(code === 1000 && seen.length === sent.length && seen.every((message, nth) => message === sent[nth]));
    socket.onerror = () => resolve(false);
  }),
};
(async () => {
  const results = {};
  for (const [name, check] of Object.entries(checks)) results[name] = await check().catch(String);
  results.protocols = [...new Set(performance.getEntriesByType('resource').map(({ nextHopProtocol }) => nextHopProtocol).filter(Boolean))];
  await fetch('/report', { method: 'POST', body: JSON.stringify(results) });
})();
</script>`;

const GOOD = { many: true, upload: true, large: true, abort: true, cookies: true, events: true, socket: true };

function browse(t: ExecutionContext, url: string, more: readonly string[]): void {
  const quiet = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const child = spawn('chromium', [...quiet, `--user-data-dir=${temporaryFolder(t)}`, '--host-resolver-rules=MAP * 127.0.0.1', '--no-proxy-server', ...more, url], { stdio: 'ignore', detached: true });
  t.teardown(async () => {
    // It has many processes, all of one group.
    const gone = new Promise((resolve) => child.once('exit', resolve));
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    await gone;
  });
}

test.serial('over HTTP/1.1 in clear text', async (t) => {
  t.timeout(80_000);
  if (!has(t, 'chromium')) return t.pass();
  const site = await startPeerSite(t, { page: PAGE });
  browse(t, `http://${PLAIN_HOST}:${site.fairlead.http}/`, []);
  const report = JSON.parse(await eventually('the page has reported', () => site.reports[0])) as Record<string, unknown>;
  t.deepEqual(report, { ...GOOD, protocols: ['http/1.1'] });
});

test.serial('over HTTP/2 and TLS, with WebSockets beside it', async (t) => {
  t.timeout(80_000);
  if (!has(t, 'chromium')) return t.pass();
  const site = await startPeerSite(t, { page: PAGE });
  const spki = new X509Certificate(site.identity.certPem).publicKey.export({ type: 'spki', format: 'der' });
  const trusted = createHash('sha256').update(spki).digest('base64');
  browse(t, `https://${TLS_HOST}:${site.fairlead.https}/`, [`--ignore-certificate-errors-spki-list=${trusted}`]);
  const report = JSON.parse(await eventually('the page has reported', () => site.reports[0])) as Record<string, unknown>;
  t.deepEqual(report, { ...GOOD, protocols: ['h2'] });
});
