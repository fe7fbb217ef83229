// Odd spellings that ingress-nginx takes, and values at the end of what makes sense: they mean what they say, as far as that can be had.
import test from 'ava';
import { annotate } from '../../../controller/dialects/ingress-nginx/annotate.ts';
import { translateIngress } from '../../../controller/dialects/ingress/translate.ts';
import type { Ingress } from '../../../controller/kube/objects.ts';
import type { ForwardIntent, Translation } from '../../../controller/model/translation.ts';
import { setCookieText } from '../../../proxy/balance/session-cookie.ts';
import { objectOf } from '../../support/manifests.ts';

const BASE = objectOf(
  'Ingress',
  '{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: shop}, spec: {rules: [{host: a.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}}',
);

function annotated(values: Readonly<Record<string, string>>): Translation {
  const annotations = new Map(Object.entries(values).map(([name, value]) => [`nginx.ingress.kubernetes.io/${name}`, value]));
  const ingress: Ingress = { ...BASE, metadata: { ...BASE.metadata, annotations } };
  return annotate(ingress, translateIngress(ingress));
}

const forward = (translation: Translation): ForwardIntent => translation.hosts[0]!.routes[0]!.action as ForwardIntent;

test('proxy-next-upstream-timeout is no limit by any zero, and what is allowed is told', (t) => {
  for (const zero of ['0', '00', '+0', '-0']) {
    const translation = annotated({ 'proxy-next-upstream-timeout': zero });
    t.deepEqual([forward(translation).settings.retry, translation.problems], [{ totalMs: 0 }, []], zero);
  }
  t.deepEqual(annotated({ 'proxy-next-upstream-timeout': '-5' }).problems.map(({ message }) => message), ['the value must be 0, for no limit, or more, and it is "-5"']);
});

for (const [expires, years] of [
  ['9007199254740991', [2080, 9999]],
  ['-9007199254740991', [2000, 2026]],
  // 1931, which would be read as 2031.
  ['-3000000000', [2000, 2026]],
] as const) {
  test(`session-cookie-expires: "${expires}" makes a date that browsers can read`, (t) => {
    const { affinity } = forward(annotated({ affinity: 'cookie', 'session-cookie-expires': expires })).backends[0]!.upstream!;
    const now = Date.UTC(2026, 5, 1);
    const [, year = ''] = /Expires=\w{3}, \d\d-\w{3}-(\d\d|\d{4}) \d\d:\d\d:\d\d GMT;/.exec(setCookieText(affinity!.cookie, 'x', { path: '/', encrypted: false, userAgent: undefined }, now)) ?? [];
    const full = year.length === 2 ? 2000 + Number(year) : Number(year);
    t.true(full >= years[0] && full <= years[1], year);
  });
}
