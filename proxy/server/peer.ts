// The other end of a downstream connection: the client as the connection alone tells it, whom to believe about more, and
// the server name that TLS was asked for. Made once per connection, so that a request costs none of it.
import type { Socket } from 'node:net';
import type { Client, ClientTls } from '../http/exchange.ts';
import { clientOfConnection } from '../http/forwarded.ts';
import type { ConnectionFacts } from '../http/forwarded.ts';
import type { TrustedProxies } from '../http/trust.ts';
import type { Listener } from '../table/listener.ts';
import type { Proxied } from './proxy-protocol.ts';

export interface Peer {
  /** Name of the listener. */
  readonly listener: string;
  /** The client of every request for which nothing else is forwarded and believed. */
  readonly client: Client;
  readonly trust: TrustedProxies;
  /** Lower-case SNI of the connection; empty without TLS or SNI. */
  readonly serverName: string;
}

/** Reads the addresses of an accepted socket. `proxied`: what a PROXY protocol header said, where one was due; `tls`: absent in clear text. */
export function peerOf(socket: Socket, listener: Pick<Listener, 'name' | 'forwardedPort'>, trust: TrustedProxies, proxied: Proxied | undefined, tls?: ClientTls): Peer {
  const facts: ConnectionFacts = {
    peerAddress: socket.remoteAddress ?? '',
    peerPort: socket.remotePort ?? 0,
    localPort: listener.forwardedPort ?? socket.localPort ?? 0,
    encrypted: tls !== undefined,
    tls,
    ...(proxied !== undefined && { proxied }),
  };
  return { listener: listener.name, client: clientOfConnection(facts, trust), trust, serverName: tls?.serverName ?? '' };
}
