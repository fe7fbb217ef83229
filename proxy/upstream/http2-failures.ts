// Why a stream ended before its response was complete, as a ProxyError: from its error code, and from what became of the
// connection that carried it.
import { constants } from 'node:http2';
import type { ClientHttp2Stream } from 'node:http2';
import type { ProxyError } from '../http/exchange.ts';
import { failure } from './errors.ts';
import { isProtocolError } from './http2-line.ts';
import type { Http2Line } from './http2-line.ts';

/** Codes with which a stream ends because what came on it is no valid message; all but INTERNAL_ERROR are the client's own verdicts. */
const PROTOCOL_CODES: ReadonlySet<number> = new Set([
  constants.NGHTTP2_PROTOCOL_ERROR,
  constants.NGHTTP2_FLOW_CONTROL_ERROR,
  constants.NGHTTP2_FRAME_SIZE_ERROR,
  constants.NGHTTP2_COMPRESSION_ERROR,
  constants.NGHTTP2_STREAM_CLOSED,
]);

/** How far the request had come. */
export interface StreamProgress {
  /** The connection had already carried other streams. */
  readonly reused: boolean;
  /** Something of the answer has come. */
  readonly answered: boolean;
}

/** True: the endpoint says that it has not looked at the request (RFC 9113 §8.7), so that it can be sent again, whatever its method. */
export function wasRefused(line: Http2Line, stream: ClientHttp2Stream, answered: boolean): boolean {
  return !answered && (line.refused(stream) || stream.rstCode === constants.NGHTTP2_REFUSED_STREAM);
}

export function streamFailure(line: Http2Line, stream: ClientHttp2Stream, { reused, answered }: StreamProgress): ProxyError {
  if (wasRefused(line, stream, answered)) return failure('UpstreamRemoteReset', 'the endpoint refused the stream', 'yes');
  if (!line.alive) {
    if (isProtocolError(line.error)) return failure('UpstreamProtocolError', line.error);
    // Connections are closed by the other side at any time: one that was just opened is not stale.
    return failure('UpstreamConnectionTermination', line.error, reused && !answered ? 'if-reused' : 'no');
  }
  const { rstCode } = stream;
  return failure(PROTOCOL_CODES.has(rstCode) ? 'UpstreamProtocolError' : 'UpstreamRemoteReset', `the stream ended with error code ${rstCode}`);
}
