// Which of two routes is tried first. Longest path first, Exact before PathPrefix at equal length (Kubernetes Ingress, "Multiple
// matches"), then the more specific conditions (Gateway API, HTTPRouteRule). What is left equal is decided by age, by the caller.
import type { PathMatch, RouteMatch } from '../table/route.ts';

const RANK: Readonly<Record<PathMatch['type'], number>> = { Exact: 0, PathPrefix: 1, StringPrefix: 2, RegularExpression: 3 };

/** Negative: `a` is tried before `b`; 0: neither is more specific, so that a stable sort keeps their order. */
export function compareRoutes(a: { readonly match: RouteMatch }, b: { readonly match: RouteMatch }): number {
  const left = a.match;
  const right = b.match;
  return (
    pathLength(right.path) - pathLength(left.path) ||
    RANK[left.path.type] - RANK[right.path.type] ||
    Number(right.method !== undefined) - Number(left.method !== undefined) ||
    right.headers.length - left.headers.length ||
    right.queryParams.length - left.queryParams.length ||
    right.cookies.length - left.cookies.length
  );
}

/** Characters of the value; one trailing slash does not count. For a regular expression it is the length of its text, as in ingress-nginx. */
function pathLength(path: PathMatch): number {
  return path.value.endsWith('/') ? path.value.length - 1 : path.value.length;
}
