// A tunnel in front of an endpoint that a test speaks for octet by octet, and a client that does the same.
import net from 'node:net';
import type { Cluster, Endpoint } from '../../proxy/table/cluster.ts';
import { Connector } from '../../proxy/upstream/connector.ts';
import { tunneller } from '../../proxy/upstream/upgrade.ts';
import { testCluster } from './endpoint-call.ts';
import { front } from './endpoint-front.ts';
import type { Front, FrontOptions } from './endpoint-front.ts';
import { rawEndpoint } from './endpoint-raw.ts';
import type { RawEndpoint, Script } from './endpoint-raw.ts';

export interface Teardown {
  teardown(fn: () => unknown): void;
}

export const LINGER_MS = 100;
export const STALL_MS = 5_000;

export interface TunnelOptions extends FrontOptions {
  readonly cluster?: Cluster;
  readonly stallMs?: number;
}

export async function tunnel(t: Teardown, endpoint: Endpoint, options: TunnelOptions = {}): Promise<{ front: Front; connector: Connector }> {
  const connector = new Connector();
  const made = await front(tunneller(connector, options.stallMs ?? STALL_MS, LINGER_MS), options.cluster ?? testCluster(), endpoint, options);
  t.teardown(() => made.close());
  return { front: made, connector };
}

/** A raw client, and what it received. */
export function rawClient(t: Teardown, port: number, text: string): { socket: net.Socket; received(): string; closed: Promise<unknown> } {
  const chunks: Buffer[] = [];
  const socket = net.connect(port, '127.0.0.1');
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  socket.write(text, 'latin1');
  t.teardown(() => socket.destroy());
  return { socket, received: () => Buffer.concat(chunks).toString('latin1'), closed: new Promise((resolve) => socket.once('close', resolve)) };
}

export const UPGRADE = 'GET /chat HTTP/1.1\r\nHost: chat.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
export const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';

export async function scripted(t: Teardown, script: Script): Promise<RawEndpoint> {
  const raw = await rawEndpoint(script);
  t.teardown(() => raw.close());
  return raw;
}
