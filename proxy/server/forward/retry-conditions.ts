// What a failure is in the words of a retry policy, and which of two answers is the worse one.

/** The word of a retry policy for a failure. */
export function conditionOf(reason: string): 'error' | 'timeout' | 'invalid-response' {
  switch (reason) {
    case 'UpstreamConnectionTimeout':
    case 'UpstreamRequestTimeout':
    case 'StreamIdleTimeout':
      return 'timeout';
    case 'UpstreamProtocolError':
      return 'invalid-response';
    default:
      return 'error';
  }
}

/** An error of the endpoint is worse than one of the request, and both are worse than any other answer. */
export function isWorse(status: number, than: number): boolean {
  return status >= 400 && Math.floor(status / 100) > Math.floor(than / 100);
}
