// The annotations that users bring along from ingress-nginx for the data plane, one by one and under both prefixes: a good
// value does something, the same under either, and a bad one does what ingress-nginx does with it (DEF or REJECT; the latter
// closes the routes here), with one Problem at the annotation.
import test from 'ava';
import { annotate } from '../../../controller/dialects/ingress-nginx/annotate.ts';
import { PREFIXES } from '../../../controller/dialects/ingress-nginx/annotations.ts';
import { translateIngress } from '../../../controller/dialects/ingress/translate.ts';
import type { Ingress } from '../../../controller/kube/objects.ts';
import type { Translation } from '../../../controller/model/translation.ts';
import { objectOf } from '../../support/manifests.ts';

const BASE = objectOf(
  'Ingress',
  '{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: shop}, spec: {rules: [{host: a.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}}',
);
const SESSION = { affinity: 'cookie' };

interface Row {
  readonly name: string;
  readonly good: string;
  readonly bad: readonly string[];
  readonly ifBad: 'DefaultUsed' | 'RouteDenied';
  /** Without these it would do nothing. */
  readonly beside?: Readonly<Record<string, string>>;
}

const ROWS: readonly Row[] = [
  { name: 'backend-protocol', good: 'HTTPS', bad: ['SPDY', 'HTTP2', 'h2c'], ifBad: 'DefaultUsed' },
  { name: 'proxy-connect-timeout', good: '7', bad: ['7s', '0', '-1', 'x'], ifBad: 'DefaultUsed' },
  { name: 'proxy-send-timeout', good: '7', bad: ['7s', '1m', '1.5'], ifBad: 'DefaultUsed' },
  { name: 'proxy-read-timeout', good: '3600', bad: ['1h', '3600.0'], ifBad: 'DefaultUsed' },
  { name: 'proxy-body-size', good: '8m', bad: ['8mb', '8b', 'big', '-1'], ifBad: 'DefaultUsed' },
  { name: 'proxy-next-upstream', good: 'error http_503', bad: ['error http_500x', 'errors', 'error,timeout'], ifBad: 'DefaultUsed' },
  { name: 'proxy-next-upstream-tries', good: '5', bad: ['-1', 'all'], ifBad: 'DefaultUsed' },
  { name: 'proxy-next-upstream-timeout', good: '10', bad: ['10s', '-5'], ifBad: 'DefaultUsed' },
  { name: 'load-balance', good: 'ewma', bad: ['random', 'EWMA', 'ip_hash'], ifBad: 'RouteDenied' },
  { name: 'upstream-hash-by', good: '$request_uri', bad: ['$(x)', '$no_such_variable', 'a;b'], ifBad: 'RouteDenied' },
  { name: 'affinity', good: 'cookie', bad: ['ip', 'Cookie'], ifBad: 'DefaultUsed' },
  { name: 'affinity-mode', good: 'persistent', bad: ['sticky'], ifBad: 'DefaultUsed', beside: SESSION },
  { name: 'session-cookie-name', good: 'route', bad: ['ro;ute', 'ro"ute'], ifBad: 'DefaultUsed', beside: SESSION },
  { name: 'session-cookie-path', good: '/app', bad: ['/app;x', '/a\r\nb'], ifBad: 'DefaultUsed', beside: SESSION },
  { name: 'session-cookie-domain', good: 'example.com', bad: ['a;b'], ifBad: 'DefaultUsed', beside: SESSION },
  { name: 'session-cookie-expires', good: '172800', bad: ['2d'], ifBad: 'DefaultUsed', beside: SESSION },
  { name: 'session-cookie-max-age', good: '172800', bad: ['2d'], ifBad: 'DefaultUsed', beside: SESSION },
  { name: 'session-cookie-samesite', good: 'lax', bad: ['Loose'], ifBad: 'DefaultUsed', beside: SESSION },
  { name: 'session-cookie-conditional-samesite-none', good: 'true', bad: ['yes'], ifBad: 'DefaultUsed', beside: SESSION },
  { name: 'session-cookie-secure', good: 'true', bad: ['on'], ifBad: 'DefaultUsed', beside: SESSION },
  { name: 'session-cookie-change-on-failure', good: 'true', bad: ['on'], ifBad: 'DefaultUsed', beside: SESSION },
  { name: 'service-upstream', good: 'true', bad: ['yes', 'on'], ifBad: 'DefaultUsed' },
  { name: 'upstream-vhost', good: 'inner.example', bad: ['a;b', 'a\r\nX: y', '$no_such_variable'], ifBad: 'RouteDenied' },
  { name: 'permanent-redirect', good: 'https://new.example.org', bad: ['https://new.example.org$request_uri', 'https://a\r\nX: y', 'https://a b', 'new.example.org', 'javascript:x', 'https:///x', 'https://a:99999/'], ifBad: 'RouteDenied' },
  { name: 'permanent-redirect-code', good: '308', bad: ['308x', 'permanent'], ifBad: 'RouteDenied', beside: { 'permanent-redirect': '/new' } },
  { name: 'temporal-redirect', good: 'https://status.example.org/x?y=1', bad: ['/maintenance', 'ftp://status.example.org', 'httpx://status.example.org', 'https://a\nX: y', 'https:status'], ifBad: 'RouteDenied' },
  { name: 'temporal-redirect-code', good: '307', bad: ['307.5', 'moved'], ifBad: 'RouteDenied', beside: { 'temporal-redirect': 'https://status.example.org' } },
  { name: 'proxy-request-buffering', good: 'off', bad: ['no', 'Off'], ifBad: 'DefaultUsed' },
];

function annotated(prefix: string, values: Readonly<Record<string, string>>): Translation {
  const annotations = new Map(Object.entries(values).map(([name, value]) => [prefix + name, value]));
  const ingress: Ingress = { ...BASE, metadata: { ...BASE.metadata, annotations } };
  return annotate(ingress, translateIngress(ingress));
}

for (const { name, good, bad, ifBad, beside = {} } of ROWS) {
  test(`${name}: ${JSON.stringify(good)} counts under both prefixes; a bad value is ${ifBad === 'DefaultUsed' ? 'the default' : 'a closed route'}, and told once`, (t) => {
    const [own, theirs] = PREFIXES.map((prefix) => annotated(prefix, { ...beside, [name]: good })) as [Translation, Translation];
    t.deepEqual(own, theirs);
    t.deepEqual(own.problems, []);
    const without = annotated(PREFIXES[0], beside);
    t.notDeepEqual(own.hosts, without.hosts, 'it does something');
    for (const prefix of PREFIXES) {
      for (const value of bad) {
        const wrong = annotated(prefix, { ...beside, [name]: value });
        t.deepEqual(wrong.problems.map(({ reason, effect, origin }) => [reason, effect, origin.field]), [['InvalidAnnotation', ifBad, `metadata.annotations[${prefix}${name}]`]], value);
        const actions = wrong.hosts.flatMap(({ routes, fallback }) => [...routes, fallback]).map(({ action }) => action);
        if (ifBad === 'RouteDenied') t.true(actions.every((action) => action.type === 'Respond' && action.status === 503), value);
        // A bad service-upstream is a false one, even where the flag says true.
        else if (name !== 'service-upstream') t.deepEqual(wrong.hosts, without.hosts, value);
      }
    }
  });
}
