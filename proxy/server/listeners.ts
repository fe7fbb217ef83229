// The listening sockets of one worker. Every worker listens on the same ports (SO_REUSEPORT); the kernel spreads connections.
// A listener that stays the same in a new table is not touched, so that no connection notices a swap.
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Listener } from '../table/listener.ts';
import type { ServerContext } from './context.ts';
import { Http1Connection } from './http1.ts';
import { Http2Connection } from './http2.ts';
import { peerOf } from './peer.ts';
import { TrustedProxies } from '../http/trust.ts';
import { TlsAcceptor, normalServerName } from './tls.ts';
import type { TlsState } from './tls.ts';

const BACKLOG = 4096;

/** Told of what happens below requests. */
export interface ConnectionObserver {
  connectionOpened(listener: string): void;
  connectionClosed(listener: string): void;
  handshakeFailed(listener: string): void;
}

interface Open {
  listener: Listener;
  readonly server: Server;
  readonly acceptor: TlsAcceptor | undefined;
  port: number;
}

export class Listeners {
  readonly #open = new Map<string, Open>();
  readonly #context: ServerContext;
  readonly #tlsState: () => TlsState;
  readonly #observer: ConnectionObserver;

  constructor(context: ServerContext, tlsState: () => TlsState, observer: ConnectionObserver) {
    this.#context = context;
    this.#tlsState = tlsState;
    this.#observer = observer;
  }

  /** Opens, keeps and closes listeners so that they are those of the table. Rejects if an address cannot be bound. */
  async apply(listeners: readonly Listener[]): Promise<void> {
    const wanted = new Map(listeners.map((listener) => [listener.name, listener]));
    for (const [name, open] of this.#open) {
      const listener = wanted.get(name);
      if (listener !== undefined && sameSocket(open, listener)) {
        open.listener = listener;
        open.acceptor?.update(listener);
      } else {
        this.#open.delete(name);
        open.server.close();
      }
    }
    const missing = listeners.filter((listener) => !this.#open.has(listener.name));
    await Promise.all(missing.map((listener) => this.#listen(listener)));
  }

  /** The bound port of each listener, by name. */
  ports(): Record<string, number> {
    return Object.fromEntries([...this.#open].map(([name, open]) => [name, open.port]));
  }

  /** Stops accepting; connections live on. */
  close(): void {
    for (const open of this.#open.values()) open.server.close();
    this.#open.clear();
  }

  #listen(listener: Listener): Promise<void> {
    const trust = new TrustedProxies(listener.trustedProxies);
    const acceptor = listener.protocol === 'HTTPS' ? new TlsAcceptor(listener, this.#tlsState) : undefined;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket, listener, trust, acceptor));
    const open: Open = { listener, server, acceptor, port: 0 };
    acceptor?.server.on('secureConnection', (socket) => this.#secured(socket, listener, trust));
    acceptor?.server.on('tlsClientError', (_error, socket) => {
      this.#observer.handshakeFailed(listener.name);
      socket.destroy();
    });
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(new Error(`listener ${listener.name} on ${listener.address} port ${listener.port}: ${error.message}`)));
      server.listen({ host: listener.address, port: listener.port, reusePort: true, backlog: BACKLOG }, () => {
        open.port = (server.address() as AddressInfo).port;
        // Running out of file descriptors must not end the process; accepting goes on when some are free.
        server.on('error', ignore);
        this.#open.set(listener.name, open);
        resolve();
      });
    });
  }

  #accept(socket: Socket, listener: Listener, trust: TrustedProxies, acceptor: TlsAcceptor | undefined): void {
    this.#observer.connectionOpened(listener.name);
    socket.on('close', () => this.#observer.connectionClosed(listener.name));
    socket.on('error', ignore);
    if (acceptor === undefined) new Http1Connection(socket, peerOf(socket, listener.name, trust, false, ''), this.#context);
    else acceptor.server.emit('connection', socket);
  }

  #secured(socket: TLSSocket, listener: Listener, trust: TrustedProxies): void {
    const serverName = normalServerName((socket as TLSSocket & { servername?: string | false }).servername);
    const peer = peerOf(socket, listener.name, trust, true, serverName);
    if (socket.alpnProtocol === 'h2') this.#context.startHttp2(socket, peer);
    else new Http1Connection(socket, peer, this.#context);
  }
}

/** Starts HTTP/2 on a socket. */
export function startHttp2(socket: Parameters<ServerContext['startHttp2']>[0], peer: Parameters<ServerContext['startHttp2']>[1], context: ServerContext): void {
  socket.on('error', ignore);
  new Http2Connection(socket, peer, context);
}

function sameSocket(open: Open, listener: Listener): boolean {
  const { listener: before } = open;
  return (
    before.address === listener.address &&
    (listener.port === before.port || listener.port === open.port) &&
    before.protocol === listener.protocol &&
    before.proxyProtocol === listener.proxyProtocol &&
    before.trustedProxies.join() === listener.trustedProxies.join() &&
    before.tls?.minVersion === listener.tls?.minVersion &&
    before.tls?.ciphers === listener.tls?.ciphers
  );
}

function ignore(): void {
  // 'close' follows and says all that matters
}
