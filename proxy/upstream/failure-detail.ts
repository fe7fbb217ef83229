// What a person needs to know of a failed try beside its reason: the code that the system, TLS or a parser gave, and its
// words. It goes into the access log, so nothing of a message and nothing secret may be in it.
import { causesOf, codeOf } from './causes.ts';

const MAX_CHARACTERS = 200;
/** Advice that Node adds for its own command line. */
const ADVICE = /; if the root CA is installed locally.*$/s;
const SECRET = /-----BEGIN/;

/** `ECONNREFUSED: connect ECONNREFUSED 10.0.0.1:80`, or text as it is; at most 200 characters. Undefined: nothing is known. `cause`: of a ProxyError. */
export function failureDetail(cause: unknown): string | undefined {
  const known = typeof cause === 'string' ? cause : cause instanceof Error ? errorText(cause) : '';
  if (known === '' || SECRET.test(known)) return undefined;
  return known.length > MAX_CHARACTERS ? `${known.slice(0, MAX_CHARACTERS - 1)}…` : known;
}

/** The first error of the chain that has a code says more than those around it. */
function errorText(outermost: Error): string {
  for (const error of causesOf(outermost)) {
    const code = codeOf(error);
    if (code !== undefined) return `${code}: ${words(error)}`;
  }
  return words(outermost);
}

function words(error: Error): string {
  return error.message.replace(ADVICE, '').trim();
}
