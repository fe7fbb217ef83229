// What else an endpoint may take a path for. `%2F`, `%5C` and `;` stay in a canonical path, because they mean something to many
// applications; others decode the path before they look where it leads (Go's ServeMux, WSGI, and nginx itself), take `\` for `/`, or cut
// parameters off its segments (Tomcat), before or after. Match and endpoint may then speak of two places.
/** Of an ordinary path. */
export const NO_READINGS: readonly string[] = [];
const TAKEN_APART = /;|%(?:2F|5C|3B)/;

/** Canonical but for `;`, without the path itself; undefined: some reading has dot segments. Ordinary paths have no other readings. */
export function otherReadings(path: string): readonly string[] | undefined {
  if (!mayBeTakenApart(path)) return NO_READINGS;
  const decoded = decodedSlashes(path);
  const folded = withoutParameters(decoded);
  if (folded.split('/').some((name) => name === '.' || name === '..')) return undefined;
  const cut = withoutParameters(path);
  const readings = new Set([folded, decoded, cut, decodedSlashes(cut)].map((reading) => reading.replaceAll(/\/{2,}/g, '/')));
  readings.delete(path);
  return [...readings];
}

/** Whether an endpoint may take it for something else. */
export function mayBeTakenApart(path: string): boolean {
  return TAKEN_APART.test(path);
}

function decodedSlashes(path: string): string {
  return path.replaceAll(/%(?:2F|5C)/g, '/').replaceAll('%3B', ';');
}

/** From each `;` to the next slash. */
function withoutParameters(path: string): string {
  return path.replaceAll(/;[^/]*/g, '');
}
