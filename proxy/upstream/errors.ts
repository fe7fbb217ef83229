// Why a request to an endpoint failed: the one list of reasons, and the translation of what undici, sockets and TLS throw
// into them. Where Envoy has a long name for its response flag, that is the reason.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage (RESPONSE_FLAGS_LONG)
import { errors } from 'undici';
import type { ProxyError } from '../http/exchange.ts';
import { codeOf } from './causes.ts';

type Kind = Pick<ProxyError, 'side' | 'retry' | 'status'>;

/** Every reason of this folder. */
export const UPSTREAM_FAILURES = {
  /** No connection: refused, unreachable, or the TLS handshake or the certificate check failed. Nothing was sent. */
  UpstreamConnectionFailure: { side: 'upstream', retry: 'yes', status: 502 },
  /** No connection (TLS and the first SETTINGS of HTTP/2 included) within `Cluster.connectTimeoutMs`. Nothing was sent. */
  UpstreamConnectionTimeout: { side: 'upstream', retry: 'yes', status: 504 },
  /** The connection was reset or closed before the answer was complete. */
  UpstreamConnectionTermination: { side: 'upstream', retry: 'no', status: 502 },
  /** The endpoint reset the HTTP/2 stream before the answer was complete; with retry `yes` it says that it has not looked at the request. */
  UpstreamRemoteReset: { side: 'upstream', retry: 'no', status: 502 },
  /** No response head within `responseHeadMs` of the request's last byte. */
  UpstreamRequestTimeout: { side: 'upstream', retry: 'no', status: 504 },
  /** A gap in reading the answer or in writing the request that was longer than `readIdleMs` or `sendIdleMs`. */
  StreamIdleTimeout: { side: 'upstream', retry: 'no', status: 504 },
  /** The answer is not HTTP of the version that the cluster speaks, its head is too large, or it switched protocols unasked. */
  UpstreamProtocolError: { side: 'upstream', retry: 'no', status: 502 },
  /** Every connection to the endpoint is busy and the queue is full, or the wait in it was too long. Nothing was sent. */
  UpstreamOverflow: { side: 'upstream', retry: 'yes', status: 503 },
  /** The client went away. */
  DownstreamConnectionTermination: { side: 'downstream', retry: 'no', status: 499 },
  /** The request body was shorter or longer than its declared length. */
  DownstreamProtocolError: { side: 'downstream', retry: 'no', status: 400 },
  /** The request holds something that cannot be sent: a header or target that slipped through validation. Nothing was sent. */
  InvalidUpstreamRequest: { side: 'internal', retry: 'no', status: 500 },
  /** A bug of the proxy. */
  InternalError: { side: 'internal', retry: 'no', status: 500 },
} as const satisfies Readonly<Record<string, Kind>>;

export type UpstreamReason = keyof typeof UPSTREAM_FAILURES;

/** A failure with the usual side, status and retry of its reason. */
export function failure(reason: UpstreamReason, cause?: unknown, retry: ProxyError['retry'] = UPSTREAM_FAILURES[reason].retry): ProxyError {
  const { side, status } = UPSTREAM_FAILURES[reason];
  return { reason, side, status, retry, cause };
}

/** What the connector reports; the only errors from which no byte of the request can have been sent. */
export class ConnectError extends Error {
  readonly reason: 'UpstreamConnectionFailure' | 'UpstreamConnectionTimeout';

  constructor(reason: ConnectError['reason'], message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

/** How far a request had come when it failed. */
export interface Progress {
  /** It was given to a connection, so that some of it may have been sent. */
  readonly started: boolean;
  /** The connection had already served another request. */
  readonly reused: boolean;
  /** At least one byte of the answer arrived. */
  readonly answered: boolean;
  /** The head of the answer was complete. */
  readonly headSeen: boolean;
}

/** Translates an error of undici, a socket or TLS. */
export function upstreamFailure(error: unknown, progress: Progress): ProxyError {
  if (error instanceof ConnectError) return failure(error.reason, error);
  if (error instanceof errors.HTTPParserError) {
    // An answer that just stops is a cut connection and no fault of syntax.
    return failure(error.message.includes('Invalid EOF state') ? 'UpstreamConnectionTermination' : 'UpstreamProtocolError', error);
  }
  const code = codeOf(error);
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') return failure('InvalidUpstreamRequest', error);
  if (code === undefined) return failure('InternalError', error);
  if (!progress.started) return failure('UpstreamConnectionFailure', error);
  if (isProtocolError(code, error, progress)) return failure('UpstreamProtocolError', error);
  // Keep-alive connections are closed by the other side at any time: only then has nobody looked at the request.
  const stale = progress.reused && !progress.answered;
  return failure('UpstreamConnectionTermination', error, stale ? 'if-reused' : 'no');
}

/** How an attempt that failed counts for its endpoint. */
export function outcomeOf(error: ProxyError): 'failure' | 'refused' | 'timeout' | 'cancelled' {
  if (error.side !== 'upstream') return 'cancelled';
  switch (error.reason) {
    case 'UpstreamConnectionFailure':
      return 'refused';
    case 'UpstreamConnectionTimeout':
    case 'UpstreamRequestTimeout':
    case 'StreamIdleTimeout':
      return 'timeout';
    // Our own limit, or the ordinary end of an idle connection: neither says anything against the endpoint.
    case 'UpstreamOverflow':
      return 'cancelled';
    default:
      return error.retry === 'if-reused' ? 'cancelled' : 'failure';
  }
}

/** The codes that undici uses for answers that are not HTTP, beside its parser's error. */
function isProtocolError(code: string, error: unknown, progress: Progress): boolean {
  // Within a head this is undici's word for contradictory framing; later it means that the body was cut.
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return !progress.headSeen;
  // Node's own parser, which reads the answers to upgrades.
  if (code === 'UND_ERR_HEADERS_OVERFLOW' || code.startsWith('HPE_')) return true;
  // An answer nobody asked for, an unasked 100 or 101.
  return code === 'UND_ERR_SOCKET' && error instanceof Error && /^bad (response|upgrade)$/.test(error.message);
}
