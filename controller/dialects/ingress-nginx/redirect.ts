// `temporal-redirect` and `permanent-redirect`: every request to the paths of the Ingress, and to what no rule of its host takes, is
// sent to exactly what the value says. No Service is asked for. As in ingress-nginx it happens before the redirect to https, which
// would cost clients a round trip.
import type { Redirect } from '../../../proxy/table/route.ts';
import type { Annotations } from './annotations.ts';
import { onEveryRoute } from './group.ts';
import type { AnnotationGroup } from './group.ts';
import { int, url } from './values.ts';
import type { Parser } from './values.ts';

const STATUSES: readonly Redirect['status'][] = [300, 301, 302, 303, 307, 308];

const temporal = destination(/^https?:\/\/[^/]/i, 'a URL that begins with http:// or https://');
const permanent = destination(/^(?:\/(?!\/)|[a-z][a-z0-9.-]*:\/\/[^/])/i, 'a URL such as https://example.com/x, or a path that begins with "/"');

export const redirect: AnnotationGroup = {
  name: 'Redirect',
  reads: ['temporal-redirect', 'temporal-redirect-code', 'permanent-redirect', 'permanent-redirect-code'],
  effect: (annotations) => {
    const action = annotations.has('temporal-redirect')
      ? redirectTo(annotations, 'temporal-redirect', temporal, STATUSES.filter((status) => status !== 308), 302)
      : redirectTo(annotations, 'permanent-redirect', permanent, STATUSES, 301);
    return action && onEveryRoute((route) => ({ ...route, filters: [], tlsFilters: [], action }));
  },
};

/** Undefined: it is not asked for, or it cannot be had, and the routes are closed. */
function redirectTo(annotations: Annotations, name: string, parse: Parser<string>, statuses: readonly Redirect['status'][], usual: Redirect['status']): Redirect | undefined {
  const location = annotations.read(name, parse, 'deny');
  if (location === undefined) return undefined;
  const code = annotations.read(`${name}-code`, int, 'deny') ?? usual;
  const status = statuses.find((each) => each === code);
  if (status === undefined) {
    const message = `the value must be one of ${statuses.join(', ')}, and it is ${code}: ${usual} is used`;
    annotations.report({ severity: 'warning', reason: 'InvalidAnnotation', origin: annotations.origin(`${name}-code`), message, effect: 'DefaultUsed' });
  }
  return { type: 'Redirect', status: status ?? usual, ...(location.startsWith('/') ? { path: location } : { location }) };
}

/** The characters of `url` hold nothing that ends a field line or begins another; the rest is for a URL parser to say. */
function destination(form: RegExp, words: string): Parser<string> {
  return (text) => {
    const read = url(text.trim());
    if ('wrong' in read) return read;
    return form.test(read.value) && URL.canParse(read.value, 'http://host.invalid') ? read : { wrong: `must be ${words}` };
  };
}
