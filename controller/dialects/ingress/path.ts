// A path of an Ingress rule → the condition in the table. The value becomes canonical, as the paths of requests are before
// they are matched (proxy/http/target.ts): what is written in another spelling would never match anything.
import { canonicalPath } from '../../../proxy/http/target.ts';
import type { PathMatch } from '../../../proxy/table/route.ts';
import type { IngressPath } from '../../kube/objects.ts';

/** `written`: as it was, but in the characters of a request. `wrong` completes the sentence "path … ". */
export type ReadPath = { readonly match: PathMatch; readonly written: string } | { readonly wrong: string; readonly hint?: string };

const LONGEST = 4096;

/** https://kubernetes.io/docs/concepts/services-networking/ingress/#path-types; ImplementationSpecific is read as Prefix. */
export function readPath(text: string, pathType: IngressPath['pathType']): ReadPath {
  const path = text === '' && pathType !== 'Exact' ? '/' : text;
  const wrong = whatIsWrong(path);
  if (wrong !== undefined) return wrong;
  const written = encodeForeign(path);
  const canonical = canonicalPath(written);
  if (typeof canonical !== 'string') return { wrong: `is ${canonical.text}` };
  if (pathType === 'Exact') return { match: { type: 'Exact', value: canonical }, written };
  // "/foo" and "/foo/" are the same prefix, and so that they are found to be in conflict, they get the same value.
  const element = canonical.length > 1 && canonical.endsWith('/') ? canonical.slice(0, -1) : canonical;
  return { match: { type: 'PathPrefix', value: element }, written };
}

function whatIsWrong(path: string): { wrong: string; hint?: string } | undefined {
  if (!path.startsWith('/')) return { wrong: 'does not begin with "/"' };
  if (path.length > LONGEST) return { wrong: `has ${path.length} characters; ${LONGEST} are allowed` };
  if (/\p{Cc}/u.test(path)) return { wrong: 'holds a control character' };
  if (/[?#]/.test(path)) return { wrong: 'holds "?" or "#"', hint: 'a path is text, no regular expression, and ends before the query; a literal question mark is written %3F' };
  if (/\/\//.test(path)) return { wrong: 'holds "//", which no request has by the time that it is matched', hint: 'write single slashes' };
  if (/\/\.\.?(\/|$)/.test(path)) return { wrong: 'holds a "." or ".." element, which no request has by the time that it is matched', hint: 'write the path that it leads to' };
  return path.isWellFormed() ? undefined : { wrong: 'holds half of a UTF-16 pair' };
}

/** People write `/café`; requests have `/caf%C3%A9`. */
function encodeForeign(path: string): string {
  return path.replace(/[^\u0021-\u007e]+/g, encodeURIComponent);
}
