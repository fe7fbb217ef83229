// Session affinity from outside: which endpoint a cookie leads to, when one is issued, and what it looks like.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { CookieAffinity, SessionCookie } from '../../../proxy/table/cluster.ts';
import { endpoint, simpleTable } from '../../support/data-plane.ts';
import { answer, forwardPlane, ok, reset } from '../../support/forward-plane.ts';
import type { AnswerWith, ForwardPlane } from '../../support/forward-plane.ts';
import { exchangeRaw, statusOf } from '../../support/raw-client.ts';
import { field } from '../../support/strict-http1.ts';

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
const U = 'shop-web-80';
const MARK = md5(md5(U) + U);

function affinity(mode: CookieAffinity['mode'], cookie: Partial<SessionCookie> = {}, changeOnFailure = false): Partial<ForwardPlaneCluster> {
  return {
    loadBalancer: mode === 'Balanced' ? { type: 'ConsistentHash', key: [] } : { type: 'LeastRequest' },
    affinity: { mode, upstream: U, changeOnFailure, cookie: { name: 'INGRESSCOOKIE', ...cookie } },
  };
}
type ForwardPlaneCluster = NonNullable<NonNullable<Parameters<typeof forwardPlane>[2]>['cluster']>;

function plane(t: ExecutionContext, mode: CookieAffinity['mode'], answers: readonly AnswerWith[] = [ok, ok, ok, ok], more: { cookie?: Partial<SessionCookie>; changeOnFailure?: boolean; sessionPath?: string | undefined } = {}): Promise<ForwardPlane> {
  const forward = 'sessionPath' in more && more.sessionPath === undefined ? {} : { sessionPath: more.sessionPath ?? '/app' };
  return forwardPlane(t, answers, { forward, cluster: affinity(mode, more.cookie, more.changeOnFailure) });
}

interface Visit {
  readonly status: number;
  readonly body: string;
  /** The whole Set-Cookie field. */
  readonly set: string | undefined;
  /** What the client sends back. */
  readonly cookie: string;
}

async function visit(port: number, cookie = '', more = ''): Promise<Visit> {
  const { message, client } = await exchangeRaw(port, `GET /app HTTP/1.1\r\nHost: a\r\n${cookie === '' ? '' : `Cookie: other=1; ${cookie}\r\n`}${more}\r\n`);
  client.destroy();
  const set = field(message, 'set-cookie');
  return { status: statusOf(message), body: message.body.toString(), set, cookie: set?.split(';')[0] ?? cookie };
}

for (const mode of ['Balanced', 'Persistent'] as const) {
  test(`${mode}: a session stays with its endpoint, and only its first answer sets the cookie`, async (t) => {
    const proxy = await plane(t, mode);
    const seen = new Set<string>();
    for (let nth = 0; nth < 20; nth++) {
      const first = await visit(proxy.port);
      t.regex(first.set!, new RegExp(`^INGRESSCOOKIE=[0-9a-f]{32}\\|${MARK}; Path=/app; HttpOnly$`));
      seen.add(first.body);
      for (let again = 0; again < 4; again++) {
        const next = await visit(proxy.port, first.cookie);
        t.is(next.body, first.body);
        t.is(next.set, undefined);
      }
    }
    t.true(seen.size >= 3, 'sessions are spread');
  });

  test(`${mode}: cookies come back quoted and percent-encoded too; anybody else's begins a session`, async (t) => {
    const proxy = await plane(t, mode);
    const first = await visit(proxy.port);
    const value = first.cookie.slice('INGRESSCOOKIE='.length);
    for (const sent of [`"${value}"`, value.replace('|', '%7C'), value.replace('|', '%7c')]) {
      const next = await visit(proxy.port, `INGRESSCOOKIE=${sent}`);
      t.deepEqual([next.body, next.set], [first.body, undefined], sent);
    }
    for (const sent of [`${value}x`, value.split('|')[0]!, '', `${value.split('|')[0]}|${md5('other')}`]) t.not((await visit(proxy.port, `INGRESSCOOKIE=${sent}`)).set, undefined, sent);
  });

  test(`${mode}: sessions stay put when other endpoints come and go`, async (t) => {
    const proxy = await plane(t, mode);
    const sessions: Visit[] = [];
    for (let nth = 0; nth < 24; nth++) sessions.push(await visit(proxy.port));
    const [gone, ...stay] = proxy.endpoints;
    const table = (endpoints: typeof stay): ReturnType<typeof simpleTable> => simpleTable(endpoints, { sessionPath: '/app' }, affinity(mode));
    await proxy.swap({ endpoints: table(stay).endpoints! });
    let moved = 0;
    for (const session of sessions) {
      const next = await visit(proxy.port, session.cookie);
      t.is(next.status, 200);
      if (session.body === `from ${gone!.port}`) {
        moved++;
        t.is(next.set !== undefined, mode === 'Persistent', 'a balanced key finds another endpoint by itself');
      } else {
        t.deepEqual([next.body, next.set], [session.body, undefined]);
      }
    }
    t.true(moved > 0);
    await proxy.swap({ endpoints: table([...stay, endpoint(gone!.port)]).endpoints! });
    if (mode === 'Balanced') for (const session of sessions) t.is((await visit(proxy.port, session.cookie)).body, session.body, 'and comes home');
  });
}

for (const mode of ['Balanced', 'Persistent'] as const) {
  test(`${mode}: ${mode === 'Persistent' ? 'no session moves to a new endpoint' : 'some sessions move to a new endpoint, with the cookie that they have, and all others stay'}`, async (t) => {
    const proxy = await plane(t, mode, [ok, ok, ok, ok]);
    const [newcomer, ...old] = proxy.endpoints;
    const table = (endpoints: typeof old): ReturnType<typeof simpleTable> => simpleTable(endpoints, { sessionPath: '/app' }, affinity(mode));
    await proxy.swap({ endpoints: table(old).endpoints! });
    const sessions: Visit[] = [];
    for (let nth = 0; nth < 60; nth++) sessions.push(await visit(proxy.port));
    t.false(sessions.some(({ body }) => body === `from ${newcomer!.port}`));
    await proxy.swap({ endpoints: table([newcomer!, ...old]).endpoints! });
    let moved = 0;
    for (const session of sessions) {
      const next = await visit(proxy.port, session.cookie);
      t.deepEqual([next.status, next.set], [200, undefined]);
      if (next.body === session.body) continue;
      t.is(next.body, `from ${newcomer!.port}`, 'nobody changes between the old ones');
      moved++;
    }
    // A quarter is its share.
    if (mode === 'Persistent') t.is(moved, 0);
    else t.true(moved >= 3 && moved <= 35, `${moved} of 60 moved`);
  });
}

test('a persistent cookie is that of ingress-nginx, so that live sessions survive a migration', async (t) => {
  const proxy = await plane(t, 'Persistent');
  for (const { port } of proxy.endpoints) {
    const next = await visit(proxy.port, `INGRESSCOOKIE=${md5(`${U}127.0.0.1:${port}`)}|${MARK}`);
    t.deepEqual([next.body, next.set], [`from ${port}`, undefined]);
  }
});

test('a route without sessions of its own honours a cookie and sets none', async (t) => {
  const proxy = await plane(t, 'Persistent', [ok, ok, ok], { sessionPath: undefined });
  const { port } = proxy.endpoints[1]!;
  for (let nth = 0; nth < 6; nth++) t.is((await visit(proxy.port, `INGRESSCOOKIE=${md5(`${U}127.0.0.1:${port}`)}|${MARK}`)).body, `from ${port}`);
  t.is((await visit(proxy.port)).set, undefined);
});

test('a terminating endpoint keeps no session while another can take it', async (t) => {
  const proxy = await plane(t, 'Persistent');
  const { port } = proxy.endpoints[0]!;
  await proxy.swap({ endpoints: { 'test/web:80': proxy.endpoints.map((each) => (each.port === port ? { ...each, ready: false, terminating: true } : each)) } });
  const next = await visit(proxy.port, `INGRESSCOOKIE=${md5(`${U}127.0.0.1:${port}`)}|${MARK}`);
  t.not(next.body, `from ${port}`);
  t.not(next.set, undefined);
});

for (const changeOnFailure of [false, true]) {
  test(`a failure ${changeOnFailure ? 'moves the session, with a new cookie' : 'is tried again at the same endpoint'} (change-on-failure ${changeOnFailure})`, async (t) => {
    const proxy = await plane(t, 'Persistent', [reset, ok], { changeOnFailure });
    const { port } = proxy.endpoints[0]!;
    const next = await visit(proxy.port, `INGRESSCOOKIE=${md5(`${U}127.0.0.1:${port}`)}|${MARK}`);
    const tried = proxy.log[0]!.exchange.attempts.map((each) => each.endpoint.port);
    if (changeOnFailure) {
      t.is(next.status, 200);
      t.deepEqual(tried, [port, proxy.endpoints[1]!.port]);
      t.is(next.cookie, `INGRESSCOOKIE=${md5(`${U}127.0.0.1:${proxy.endpoints[1]!.port}`)}|${MARK}`);
    } else {
      t.is(next.status, 502);
      t.deepEqual(tried, [port, port, port]);
      t.is(next.set, undefined);
    }
  });
}

for (const changeOnFailure of [false, true]) {
  test(`an endpoint that refuses connections is out, and its sessions ${changeOnFailure ? 'move' : 'are answered elsewhere, keep their cookie and come home'} (change-on-failure ${changeOnFailure})`, async (t) => {
    const proxy = await plane(t, 'Persistent', [ok, ok], { changeOnFailure });
    const [home, other] = proxy.endpoints.map(({ port }) => port);
    await proxy.backends[0]!.close();
    const cookie = `INGRESSCOOKIE=${md5(`${U}127.0.0.1:${home}`)}|${MARK}`;
    const moved = changeOnFailure ? `INGRESSCOOKIE=${md5(`${U}127.0.0.1:${other}`)}|${MARK}` : undefined;
    for (const when of ['refused and tried elsewhere', 'while it is out']) {
      const next = await visit(proxy.port, cookie);
      t.deepEqual([next.status, next.body, next.set?.split(';')[0]], [200, `from ${other}`, moved], when);
    }
    t.deepEqual(proxy.log.map(({ exchange }) => exchange.attempts.map((each) => each.endpoint.port)), [[home, other], [other]]);
    if (changeOnFailure) return;
    const back = createServer((_request, response) => response.end('home'));
    await new Promise<void>((resolve) => back.listen(home, '127.0.0.1', resolve));
    t.teardown(() => back.close());
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const next = await visit(proxy.port, cookie);
    t.deepEqual([next.status, next.body, next.set], [200, 'home', undefined]);
  });
}

test('a session moves, with a new cookie, when its endpoint leaves the table while it is out', async (t) => {
  const proxy = await plane(t, 'Persistent', [ok, ok]);
  const [gone, stays] = proxy.endpoints;
  await proxy.backends[0]!.close();
  const cookie = `INGRESSCOOKIE=${md5(`${U}127.0.0.1:${gone!.port}`)}|${MARK}`;
  t.is((await visit(proxy.port, cookie)).set, undefined);
  await proxy.swap({ endpoints: { 'test/web:80': [{ ...gone!, ready: false, serving: false }, stays!] } });
  t.is((await visit(proxy.port, cookie)).cookie, `INGRESSCOOKIE=${md5(`${U}127.0.0.1:${stays!.port}`)}|${MARK}`);
});

test('every attribute of the cookie, letter by letter', async (t) => {
  const cookie: Partial<SessionCookie> = { name: 'route', path: '/', domain: 'example.com', expiresSeconds: 172_800, maxAgeSeconds: 60, sameSite: 'None', omitNoneWhereMisread: true, secure: true };
  const proxy = await plane(t, 'Balanced', [ok], { cookie });
  const { set } = await visit(proxy.port);
  const [, expires = ''] = /Expires=([^;]+)/.exec(set!) ?? [];
  t.is(set!.replace(/=[0-9a-f]{32}\|[0-9a-f]{32}/, '=V').replace(expires, 'E'), 'route=V; Expires=E; Max-Age=60; Domain=example.com; Path=/; Secure; HttpOnly; SameSite=None');
  t.regex(expires, /^(Sun|Mon|Tue|Wed|Thu|Fri|Sat), \d\d-[A-Z][a-z][a-z]-\d\d \d\d:\d\d:\d\d GMT$/);
  for (const agent of ['Mozilla/5.0 (X11) Chrome/51.0 Safari/537', 'Mozilla/5.0 (iPhone; CPU iPhone OS 12_1 like Mac OS X)', 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/605 Version/12.1 Safari/605']) {
    t.false((await visit(proxy.port, '', `User-Agent: ${agent}\r\n`)).set!.includes('SameSite'), agent);
  }
  t.true((await visit(proxy.port, '', 'User-Agent: Mozilla/5.0 (X11) Chrome/120.0 Safari/537\r\n')).set!.includes('SameSite=None'));
});

test('no session begins at a path to which its cookie would not come back', async (t) => {
  const proxy = await plane(t, 'Persistent', [ok, ok], { sessionPath: '/app/' });
  const set = async (target: string): Promise<string | undefined> => {
    const { message, client } = await exchangeRaw(proxy.port, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    client.destroy();
    t.is(statusOf(message), 200);
    return field(message, 'set-cookie')?.replace(/=.*?;/, '=V;');
  };
  t.is(await set('/app'), undefined, 'it would move the session that the client has below');
  t.is(await set('/app?x=1'), undefined);
  for (const target of ['/app/', '/app/x', '/app/x?y']) t.is(await set(target), 'INGRESSCOOKIE=V; Path=/app/; HttpOnly', target);
});

test('an endpoint\'s own Set-Cookie stands beside the session\'s', async (t) => {
  const proxy = await plane(t, 'Balanced', [() => answer(200, 'x', 'set-cookie: own=1\r\n')]);
  const { message, client } = await exchangeRaw(proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  client.destroy();
  t.is(message.fields.filter(([name]) => name === 'set-cookie').length, 2);
});

for (const mode of ['Balanced', 'Persistent'] as const) {
  test(`${mode}: a connection that its endpoint has just closed costs no session its answer, where there is no other endpoint`, async (t) => {
    const met = new Set<unknown>();
    const closing: AnswerWith = (request, socket) => {
      if (met.has(socket)) return reset(request, socket);
      met.add(socket);
      return ok(request, socket);
    };
    const proxy = await plane(t, mode, [closing], { changeOnFailure: true });
    const first = await visit(proxy.port);
    t.is(first.status, 200);
    const another = await visit(proxy.port);
    t.is(another.status, 200);
    t.truthy(another.set, 'a session that begins has its cookie');
    const again = await visit(proxy.port, another.cookie);
    t.deepEqual([again.status, again.set], [200, undefined]);
    t.deepEqual(proxy.log.map(({ exchange }) => exchange.attempts.map(({ error, status }) => error ?? status)), [[200], ['UpstreamConnectionTermination', 200], ['UpstreamConnectionTermination', 200]]);
  });
}

test('the cookie of an answer is that of the endpoint it came from, also if another one was asked for a better one', async (t) => {
  const forward = { sessionPath: '/app', retry: { on: ['503', 'error'] } };
  const proxy = await forwardPlane(t, [() => answer(503, 'sorry'), reset], { forward, cluster: affinity('Persistent', {}, true) });
  const [home, other] = proxy.endpoints.map(({ port }) => port);
  const next = await visit(proxy.port, `INGRESSCOOKIE=${md5(`${U}127.0.0.1:${home}`)}|${MARK}`);
  t.deepEqual(proxy.log[0]!.exchange.attempts.map((each) => each.endpoint.port), [home, other]);
  t.deepEqual([next.status, next.body, next.set], [503, 'sorry', undefined]);
});
