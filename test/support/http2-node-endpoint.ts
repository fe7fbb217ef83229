// An endpoint on node:http2, which checks what arrives with a codec that is not ours.
import { once } from 'node:events';
import http2 from 'node:http2';
import type net from 'node:net';
import type { ExecutionContext } from 'ava';
import type { Endpoint } from '../../proxy/table/cluster.ts';
import { endpointAt } from './endpoint-raw.ts';

export interface NodeRequest {
  readonly headers: string[];
  body: string;
  trailers: string[];
  /** Error code of its end; 0: it ended well. */
  code: number | undefined;
}

export interface NodeEndpoint {
  readonly endpoint: Endpoint;
  readonly requests: NodeRequest[];
  connections: number;
}

/** `answer` is called with the head. Default: 200 with `ok` when the request is complete. */
export async function nodeHttp2Endpoint(
  t: ExecutionContext,
  options: { readonly tls?: http2.SecureServerOptions; readonly settings?: http2.Settings; readonly answer?: (stream: http2.ServerHttp2Stream, request: NodeRequest) => void } = {},
): Promise<NodeEndpoint> {
  const { settings = {} } = options;
  const server = options.tls === undefined ? http2.createServer({ settings }) : http2.createSecureServer({ ...options.tls, settings });
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => {
    node.connections++;
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  server.on('stream', (stream: http2.ServerHttp2Stream, _headers: http2.IncomingHttpHeaders, _flags: number, raw: string[]) => {
    const request: NodeRequest = { headers: raw, body: '', trailers: [], code: undefined };
    node.requests.push(request);
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => (request.body += chunk.toString('latin1')));
    stream.on('trailers', (_trailers, _flags2, list) => (request.trailers = list));
    stream.on('close', () => (request.code = stream.rstCode));
    if (options.answer !== undefined) options.answer(stream, request);
    else stream.on('end', () => {
      stream.respond({ ':status': 200 });
      stream.end('ok');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(async () => {
    for (const session of sessions) session.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const node: NodeEndpoint = { endpoint: endpointAt((server.address() as net.AddressInfo).port), requests: [], connections: 0 };
  return node;
}
