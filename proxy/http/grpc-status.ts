// How a gRPC call ended: grpc-status among the trailers, or in the head of an answer that is nothing but that.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
import { getField } from './fields.ts';
import type { Exchange, RawHeaders } from './exchange.ts';

/** Notes it, of a request that may be a call. `fields`: head or trailers of the answer. */
export function noteGrpcStatus(exchange: Exchange, fields: RawHeaders): void {
  const { version, method } = exchange.request;
  if (version !== '2' || method !== 'POST') return;
  const status = getField(fields, 'grpc-status');
  if (status !== undefined && /^\d{1,2}$/.test(status)) exchange.grpcStatus = Number(status);
}
