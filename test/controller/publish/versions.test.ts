// What becomes a delta and what does not, and what the log says of it.
import test from 'ava';
import { describeEdits } from '../../../controller/publish/describe.ts';
import { Versions } from '../../../controller/publish/versions.ts';
import type { Sections } from '../../../proxy/table/snapshot.ts';
import type { Endpoint } from '../../../proxy/table/cluster.ts';
import type { VirtualHost } from '../../../proxy/table/route.ts';

const endpoint = (address: string, ready = true): Endpoint => ({ address, port: 8080, ready, serving: true, terminating: false });
const origin = { kind: 'Ingress', namespace: 'shop', name: 'web' };
const host = (hostname: string, ...paths: string[]): VirtualHost => ({
  listeners: ['http'],
  hostname,
  routes: paths.map((value) => ({
    name: `shop/web${value}`,
    match: { path: { type: 'PathPrefix', value }, headers: [], queryParams: [], cookies: [] },
    filters: [],
    action: { type: 'Respond', status: 200, body: '', reason: 'Test' },
    origin,
  })),
});
const sections = (change: Partial<Sections>): Sections => ({ listeners: {}, virtualHosts: {}, clusters: {}, endpoints: {}, certificates: {}, ...change });

test('the first table is a version even if it is empty, and an equal one after it is none', (t) => {
  const versions = new Versions();
  t.deepEqual(versions.advance(sections({}))?.delta, { base: 0, version: 1, set: {}, remove: {} });
  t.is(versions.advance(sections({})), undefined);
  t.is(versions.version, 1);
});

test('a delta holds the entry that changed, the one that is new and the key of the one that is gone', (t) => {
  const versions = new Versions();
  const kept = [endpoint('10.0.0.1')];
  versions.advance(sections({ endpoints: { 'shop/kept:80': kept, 'shop/web:80': [endpoint('10.0.0.2')], 'shop/old:80': [] } }));
  const next = sections({ endpoints: { 'shop/kept:80': kept, 'shop/web:80': [endpoint('10.0.0.3')], 'shop/new:80': [] } });
  t.deepEqual(versions.advance(next)?.delta, {
    base: 1,
    version: 2,
    set: { endpoints: { 'shop/web:80': [endpoint('10.0.0.3')], 'shop/new:80': [] } },
    remove: { endpoints: ['shop/old:80'] },
  });
  t.deepEqual(versions.snapshot(), { version: 2, ...next });
});

test('an entry that was rebuilt with the same content is not sent', (t) => {
  const versions = new Versions();
  versions.advance(sections({ virtualHosts: { 'http/a.example': host('a.example', '/') } }));
  t.is(versions.advance(sections({ virtualHosts: { 'http/a.example': host('a.example', '/') } })), undefined);
});

test('with the touched keys at hand, no other entry is looked at', (t) => {
  const versions = new Versions();
  versions.advance(sections({ endpoints: { 'shop/a:80': [endpoint('10.0.0.1')], 'shop/b:80': [endpoint('10.0.0.2')] } }));
  const next = sections({ endpoints: { 'shop/a:80': [], 'shop/b:80': [] } });
  t.deepEqual(versions.advance(next, { endpoints: ['shop/b:80'] })?.delta.set, { endpoints: { 'shop/b:80': [] } });
});

test('a key named __proto__ stays a key', (t) => {
  const versions = new Versions();
  versions.advance(sections({ endpoints: { 'x/__proto__:80': [] } }));
  t.deepEqual(versions.advance(sections({}))?.delta.remove, { endpoints: ['x/__proto__:80'] });
});

test('the log line of a version counts and names what is new, changed and gone', (t) => {
  const versions = new Versions();
  versions.advance(sections({
    virtualHosts: { 'http/a.example': host('a.example', '/', '/old') },
    endpoints: { 'shop/web:80': [endpoint('10.0.0.1')] },
  }));
  const changed = host('a.example', '/', '/new');
  const edits = versions.advance(sections({
    virtualHosts: { 'http/a.example': changed, 'http/b.example': host('b.example', '/1', '/2', '/3', '/4') },
    endpoints: { 'shop/web:80': [endpoint('10.0.0.1'), endpoint('10.0.0.2', false)] },
  }))?.edits ?? [];
  t.is(describeEdits(edits),
    '+5 route a.example/new b.example/1 b.example/2 and 2 more, -1 route a.example/old, ~1 endpoints shop/web:80 (ready 1/1 to 1/2)');
});
