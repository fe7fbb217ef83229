// What an error says of itself: the errors that it was made of, and the code of each. Sockets, TLS and parsers give codes;
// the connector and undici wrap what they got.

/** Deeper, nobody wraps; and a chain may be a ring. */
const MAX_DEPTH = 4;

/** An error and its causes, the outermost first. */
export function* causesOf(outermost: unknown): Generator<Error> {
  let error = outermost;
  for (let depth = 0; depth < MAX_DEPTH && error instanceof Error; depth++) {
    yield error;
    error = error.cause;
  }
}

/** `ECONNREFUSED`; undefined: it has none. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return error.code;
}
