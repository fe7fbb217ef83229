// A client side for tunnels in tests: an HTTP server that hands every upgrade to an `OpenTunnel` and records what it tells.
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type net from 'node:net';
import type { ProxyError, RawHeaders } from '../../proxy/http/exchange.ts';
import type { Cluster, Endpoint } from '../../proxy/table/cluster.ts';
import type { OpenTunnel, Tunnel, TunnelRequest } from '../../proxy/upstream/upgrade.ts';

export interface FrontRecord {
  readonly events: string[];
  readonly socket: net.Socket;
  tunnel: Tunnel;
  status: number;
  headers: RawHeaders;
  bytesIn: number;
  bytesOut: number;
  error: ProxyError | undefined;
  /** Resolves after `onClose` or `onError`. */
  readonly over: Promise<void>;
}

export interface Front {
  readonly port: number;
  readonly records: FrontRecord[];
  close(): Promise<void>;
}

export interface FrontOptions {
  readonly timeouts?: Partial<TunnelRequest['timeouts']>;
  readonly tls?: https.ServerOptions;
  /** Changes the request that the tunnel gets. */
  readonly change?: (request: TunnelRequest) => TunnelRequest;
  /** Headers that go to the client; default: the endpoint's, and one more. */
  readonly onHead?: (headers: RawHeaders) => RawHeaders;
}

export async function front(open: OpenTunnel, cluster: Cluster, endpoint: Endpoint, options: FrontOptions = {}): Promise<Front> {
  const records: FrontRecord[] = [];
  const server = options.tls === undefined ? http.createServer() : https.createServer(options.tls);
  server.on('upgrade', (incoming: http.IncomingMessage, stream, head: Buffer) => {
    const socket = stream as net.Socket;
    const over = Promise.withResolvers<void>();
    const record: FrontRecord = { events: [], socket, tunnel: undefined as unknown as Tunnel, status: 0, headers: [], bytesIn: 0, bytesOut: 0, error: undefined, over: over.promise };
    records.push(record);
    const request: TunnelRequest = {
      method: incoming.method ?? '',
      target: incoming.url ?? '',
      headers: incoming.rawHeaders,
      socket,
      head,
      timeouts: { responseHeadMs: 2_000, readIdleMs: 5_000, sendIdleMs: 5_000, ...options.timeouts },
    };
    record.tunnel = open(cluster, endpoint, options.change?.(request) ?? request, {
      onHead(status, headers, switched) {
        record.events.push(switched ? 'switched' : 'refused');
        record.status = status;
        record.headers = headers;
        return options.onHead?.(headers) ?? [...headers, 'X-Proxy', 'fairlead'];
      },
      onStalled() {},
      onClose(bytesIn, bytesOut, error) {
        record.events.push('close');
        Object.assign(record, { bytesIn, bytesOut, error });
        over.resolve();
      },
      onError(error) {
        record.events.push('error');
        record.error = error;
        over.resolve();
        socket.end(`HTTP/1.1 ${error.status} Failed\r\nconnection: close\r\ncontent-length: ${error.reason.length}\r\n\r\n${error.reason}`);
      },
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    records,
    async close() {
      for (const { socket } of records) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
