// The listening sockets of one worker. Every worker listens on the same ports (SO_REUSEPORT); the kernel spreads connections.
// A listener that stays the same in a new table is not touched, so that no connection notices a swap.
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { equal } from '../table/equal.ts';
import type { Listener } from '../table/listener.ts';
import type { RefusedConnection } from '../table/metrics.ts';
import type { HostPassthrough, HostTls } from '../table/route.ts';
import type { Connector } from '../upstream/connector.ts';
import { chainIsTooLong, clientTls } from './client-certificate.ts';
import type { Clusters } from './forward/clusters.ts';
import type { ServerContext } from './context.ts';
import { Http1Connection } from './http1/connection.ts';
import { Http2Connection } from './http2/connection.ts';
import { Passthrough } from './passthrough.ts';
import { peerOf } from './peer.ts';
import { PerAddress } from './per-address.ts';
import { Prelude } from './prelude.ts';
import { refusalText } from './refused.ts';
import type { Opening, Unsaid } from './prelude.ts';
import type { SpecialHosts } from './special-hosts.ts';
import type { Passage } from '../observe/observer.ts';
import { plainAddress } from '../http/forwarded.ts';
import { normalServerName } from '../http/server-name.ts';
import { TrustedProxies } from '../http/trust.ts';
import { TlsServers } from './tls.ts';
import type { TlsState } from './tls.ts';
import type { TlsProfile } from './tls-profile.ts';

const BACKLOG = 4096;
/** What may wait in a socket in clear text for a client that takes nothing, beyond what is half taken: an answer is stopped at that. */
const UNWRITTEN_BYTES = 4 * 1024;

/** Told of what happens below requests. */
export interface ConnectionObserver {
  connectionOpened(listener: string): void;
  connectionClosed(listener: string): void;
  connectionRefused(listener: string, reason: RefusedConnection): void;
  handshakeFailed(listener: string): void;
}

/** What connections need of the worker before they are anybody's. */
export interface ConnectionHost {
  readonly specialHosts: SpecialHosts;
  readonly clusters: Clusters;
  readonly connector: Connector;
  tlsState(): TlsState;
}

interface Open {
  listener: Listener;
  readonly server: Server;
  readonly trust: TrustedProxies;
  readonly tls: TlsServers | undefined;
  /** Who must send a PROXY protocol header; undefined: nobody. */
  readonly balancers: TrustedProxies | undefined;
  port: number;
}

const EVERYBODY: readonly string[] = ['0.0.0.0/0', '::/0'];

export class Listeners {
  readonly #open = new Map<string, Open>();
  readonly #context: ServerContext;
  readonly #host: ConnectionHost;
  readonly #observer: ConnectionObserver;
  /** What the first bytes of a connection told, where they were looked at. */
  readonly #openings = new WeakMap<Socket, Opening>();
  /** Accepted, and not yet a connection of its codec. */
  readonly #pending = new Set<Socket>();
  readonly #perAddress: PerAddress;

  constructor(context: ServerContext, host: ConnectionHost, observer: ConnectionObserver) {
    this.#context = context;
    this.#host = host;
    this.#observer = observer;
    this.#perAddress = new PerAddress(context.limits.connectionsPerAddress);
  }

  /** Opens, keeps and closes listeners so that they are those of the table. Rejects if an address cannot be bound. */
  async apply(listeners: readonly Listener[]): Promise<void> {
    const wanted = new Map(listeners.map((listener) => [listener.name, listener]));
    for (const [name, open] of this.#open) {
      const listener = wanted.get(name);
      if (listener !== undefined && sameSocket(open, listener)) {
        open.listener = listener;
        if (open.tls !== undefined) open.tls.listener = listener;
      } else {
        this.#open.delete(name);
        open.server.close();
      }
    }
    const missing = listeners.filter((listener) => !this.#open.has(listener.name));
    // All are waited for even if one fails: the next call must find those that are open, or it would open them twice.
    const opened = await Promise.allSettled(missing.map((listener) => this.#listen(listener)));
    for (const one of opened) if (one.status === 'rejected') throw one.reason;
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

  /** Connections whose first bytes or handshake are still under way. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Cuts connections whose first bytes or handshake are still under way. */
  destroyPending(): void {
    for (const socket of this.#pending) socket.destroy();
  }

  #listen(listener: Listener): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: UNWRITTEN_BYTES }, (socket) => this.#accept(socket, open));
    const open: Open = {
      listener,
      server,
      trust: new TrustedProxies(listener.trustedProxies, listener.trustedHops),
      tls: this.#tlsServers(listener, () => open),
      balancers: listener.proxyProtocol ? new TrustedProxies(listener.proxyProtocolFrom ?? EVERYBODY) : undefined,
      port: 0,
    };
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

  #tlsServers(listener: Listener, open: () => Open): TlsServers | undefined {
    if (listener.protocol !== 'HTTPS' || listener.tls === undefined) return undefined;
    return new TlsServers(listener, listener.tls, () => this.#host.tlsState(), {
      secured: (socket, profile) => this.#secured(socket, open(), profile),
      failed: () => this.#observer.handshakeFailed(listener.name),
      plainHttp: (socket) => this.#notTls(socket, open()),
    });
  }

  #accept(socket: Socket, open: Open): void {
    const { name } = open.listener;
    this.#observer.connectionOpened(name);
    this.#pending.add(socket);
    socket.on('close', () => {
      this.#pending.delete(socket);
      this.#observer.connectionClosed(name);
    });
    socket.on('error', ignore);
    const proxyHeader = open.balancers?.includes(plainAddress(socket.remoteAddress ?? '')) === true;
    const serverName = open.tls !== undefined && this.#host.specialHosts.any;
    // Where a header is to come, the peer is a balancer, and whose the connection is stands in that.
    if (!proxyHeader && !this.#admits(socket, socket.remoteAddress, open)) return;
    if (!proxyHeader && !serverName) {
      this.#begin(socket, open, undefined);
      return;
    }
    new Prelude(socket, { proxyHeader, serverName }, this.#context.deadlines, (opening) => {
      this.#openings.set(socket, opening);
      if (!proxyHeader || this.#admits(socket, opening.proxied?.address ?? socket.remoteAddress, open)) this.#begin(socket, open, opening);
    }, (unsaid) => this.#unopened(socket, open, unsaid));
  }

  #unopened(socket: Socket, { listener, trust }: Open, unsaid: Unsaid): void {
    const { name } = listener;
    if (unsaid === 'hello') this.#observer.handshakeFailed(name);
    if (unsaid !== 'proxyHeader') return;
    this.#observer.connectionRefused(name, 'InvalidProxyHeader');
    this.#context.refused(peerOf(socket, listener, trust, undefined), { status: 400, reason: 'InvalidProxyHeader', text: '', method: '', target: '' });
  }

  /** Whoever speaks HTTP to the HTTPS port is told so, in HTTP. */
  #notTls(socket: Socket, { listener, trust }: Open): void {
    const refusal = { status: 400, reason: 'PlainHttpToHttpsPort', text: 'a plain HTTP request was sent to the HTTPS port' } as const;
    this.#observer.connectionRefused(listener.name, refusal.reason);
    this.#context.refused(peerOf(socket, listener, trust, this.#openings.get(socket)?.proxied), { ...refusal, method: '', target: '' });
    socket.write(refusalText(refusal.status, refusal.text), 'latin1');
  }

  /** False: its address has as many connections as it may, and this one has been reset. */
  #admits(socket: Socket, address: string | undefined, { listener, trust }: Open): boolean {
    const admitted = this.#perAddress.admit(socket, plainAddress(address ?? ''), trust);
    if (!admitted) this.#observer.connectionRefused(listener.name, 'TooManyConnections');
    return admitted;
  }

  #begin(socket: Socket, { listener, tls, trust }: Open, opening: Opening | undefined): void {
    if (tls === undefined) {
      this.#pending.delete(socket);
      new Http1Connection(socket, peerOf(socket, listener, trust, opening?.proxied), this.#context);
      // Reading its first bytes has stopped it.
      if (opening !== undefined) socket.resume();
      return;
    }
    const host = opening === undefined ? undefined : this.#hostOf(opening.serverName, listener);
    if (host?.passthrough === undefined) tls.accept(socket, host?.tls);
    else this.#passThrough(socket, host.passthrough, { serverName: normalServerName(opening?.serverName), client: peerOf(socket, listener, trust, opening?.proxied).client.address });
  }

  #hostOf(serverName: string, listener: Listener): { readonly tls?: HostTls; readonly passthrough?: HostPassthrough } | undefined {
    return this.#host.tlsState().table.virtualHost(listener.name, normalServerName(serverName));
  }

  #passThrough(socket: Socket, { cluster, origin }: HostPassthrough, from: Pick<Passage, 'serverName' | 'client'>): void {
    this.#pending.delete(socket);
    const active = this.#host.clusters.get(cluster);
    if (active === undefined) socket.destroy();
    else new Passthrough(socket, active, this.#host.connector, this.#context, { ...from, cluster, origin });
  }

  /** A handshake is complete. */
  #secured(socket: TLSSocket, { listener, trust }: Open, { clientCertificates }: TlsProfile): void {
    // The accepted socket under it, by which the connection is known from its first byte on.
    const { servername, _parent: accepted } = socket as TLSSocket & { readonly servername?: string | false; readonly _parent?: Socket };
    if (accepted !== undefined) this.#pending.delete(accepted);
    const opening = accepted === undefined ? undefined : this.#openings.get(accepted);
    // At once, for with the end of this turn the client gets a session ticket.
    if (clientCertificates !== undefined && (opening === undefined || chainIsTooLong(socket, clientCertificates))) {
      this.#observer.handshakeFailed(listener.name);
      socket.destroy();
      return;
    }
    // Node forgets the name when it resumes a session of TLS 1.2.
    const serverName = normalServerName(opening?.serverName || servername);
    const peer = peerOf(socket, listener, trust, opening?.proxied, clientTls(socket, serverName, clientCertificates));
    if (socket.alpnProtocol === 'h2') new Http2Connection(socket, peer, this.#context);
    else new Http1Connection(socket, peer, this.#context);
  }
}

/** True: the listener can serve on the socket that is open; only what handshakes read anew may differ. */
function sameSocket(open: Open, listener: Listener): boolean {
  const { listener: before } = open;
  return (listener.port === before.port || listener.port === open.port) && equal(settingsOf(before), settingsOf(listener));
}

function settingsOf(listener: Listener): object {
  return { ...listener, port: 0, tls: { ...listener.tls, defaultCertificate: '' } };
}

function ignore(): void {
  // 'close' follows and says all that matters
}
