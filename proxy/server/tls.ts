// The only place where secure contexts are built. A listener's connections go to one TLS server for each profile in use;
// contexts are made when a handshake needs them and kept by certificate digest, so that ten thousand certificates cost what
// is used. Everything that decides is read anew at every handshake, so that a new table is live at once.
import type { Socket } from 'node:net';
import { createSecureContext, createServer as createTlsServer } from 'node:tls';
import type { SecureContext, Server as TlsServer, TLSSocket, TlsOptions } from 'node:tls';
import { LRUCache } from 'lru-cache';
import { normalServerName } from '../http/server-name.ts';
import type { RoutingTable } from '../match/compile.ts';
import type { Certificate } from '../table/certificate.ts';
import type { Listener, ListenerTls } from '../table/listener.ts';
import type { HostTls } from '../table/route.ts';
import { ticketKeys, tlsProfile } from './tls-profile.ts';
import type { TlsProfile } from './tls-profile.ts';
import type { Staples } from './tls-staples.ts';

/** One takes about 40 kB; making one takes a tenth of a millisecond. Ten thousand certificates are to cost a worker 100 MB at most, keys and chains among them. */
const KEPT_CONTEXTS = 1_000;
const KEPT_SERVERS = 1_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** What decides about certificates. */
export interface TlsState {
  readonly table: RoutingTable;
  readonly certificates: Readonly<Record<string, Certificate>>;
  readonly contexts: SecureContexts;
  readonly staples: Staples;
  /** What the keys of session tickets are made from. */
  readonly ticketSecret: Buffer;
}

/** Secure contexts by profile and certificate. */
export class SecureContexts {
  readonly #kept = new LRUCache<string, SecureContext>({ max: KEPT_CONTEXTS, dispose: (context) => setImmediate(release, context) });
  /** One without a certificate, for the next that is needed: half of the work is done before a client waits for it. */
  #blank: { readonly profile: TlsProfile; readonly context: SecureContext } | undefined;

  /** Throws if chain and key do not load: what the controller publishes has been checked before. */
  get(certificate: Certificate, profile: TlsProfile): SecureContext {
    const key = `${profile.id} ${certificate.name}`;
    let context = this.#kept.get(key);
    if (context === undefined) {
      context = this.#make(certificate, profile);
      this.#kept.set(key, context);
    }
    return context;
  }

  #make({ chainPem, keyPem }: Certificate, profile: TlsProfile): SecureContext {
    const blank = this.#blank?.profile === profile ? this.#blank.context : undefined;
    const handle = blank?.context as Handle | undefined;
    this.#blank = undefined;
    let context = blank;
    if (context === undefined || handle?.setCert === undefined || handle.setKey === undefined) {
      context = createSecureContext({ ...profile.context, cert: chainPem, key: keyPem });
    } else {
      handle.setCert(chainPem);
      handle.setKey(keyPem);
    }
    // Not before this one was made: settings that OpenSSL does not take must fail here and nowhere else.
    setImmediate(() => (this.#blank ??= { profile, context: createSecureContext(profile.context) }));
    return context;
  }
}

/** What Node calls on a context to make it, and to give it back; not documented, so its absence must cost time or memory alone. */
interface Handle {
  setCert?(chainPem: string): void;
  setKey?(keyPem: string): void;
  close?(): void;
}

/**
 * Frees what OpenSSL holds for a context: left to the garbage collector, which knows a fiftieth of its size, thousands would pile up. Connections
 * have their own hold on it. Without `close` the collector does it after all.
 */
function release({ context }: SecureContext): void {
  (context as Handle).close?.();
}

/** The certificate of a hostname: its virtual host's (exact, then wildcard), else the listener's default. */
function certificateOf(hostname: string, listener: Listener, state: TlsState): Certificate {
  const host = hostname === '' ? undefined : state.table.virtualHost(listener.name, hostname);
  const own = host?.certificate === undefined ? undefined : state.certificates[host.certificate];
  const certificate = own ?? state.certificates[listener.tls?.defaultCertificate ?? ''];
  if (certificate === undefined) throw new Error(`listener ${listener.name} has no default certificate`);
  return certificate;
}

/** What a listener hears of its TLS servers. */
export interface TlsEvents {
  secured(socket: TLSSocket, profile: TlsProfile): void;
  failed(): void;
  /** HTTP came where a handshake was due. The accepted socket is still open; it is closed when this returns. */
  plainHttp(socket: Socket): void;
}

/** OpenSSL knows the beginning of a request line. */
const PLAIN_HTTP = 'ERR_SSL_HTTP_REQUEST';

/** The TLS servers of one listener, each made when the first connection needs it. They are fed with accepted sockets and never listen themselves. */
export class TlsServers {
  listener: Listener;
  readonly #tls: ListenerTls;
  readonly #state: () => TlsState;
  readonly #events: TlsEvents;
  readonly #default: TlsAcceptor;
  readonly #others = new LRUCache<string, TlsAcceptor>({ max: KEPT_SERVERS });
  readonly #profiles = new WeakMap<HostTls, TlsProfile>();

  constructor(listener: Listener, tls: ListenerTls, state: () => TlsState, events: TlsEvents) {
    this.listener = listener;
    this.#tls = tls;
    this.#state = state;
    this.#events = events;
    this.#default = this.#acceptor(tlsProfile(listener.name, tls, undefined));
  }

  /** Does the handshake of an accepted socket. `host`: the settings of the hostname that it is for, where it has any. */
  accept(socket: Socket, host: HostTls | undefined): void {
    try {
      const acceptor = host === undefined ? this.#default : this.#acceptorOf(host);
      acceptor.accept(socket);
    } catch {
      // Settings that OpenSSL does not take: nobody may get in, and no other host may notice.
      this.#events.failed();
      socket.destroy();
    }
  }

  #acceptorOf(host: HostTls): TlsAcceptor {
    let profile = this.#profiles.get(host);
    if (profile === undefined) {
      profile = tlsProfile(this.listener.name, this.#tls, host);
      this.#profiles.set(host, profile);
    }
    let acceptor = this.#others.get(profile.id);
    if (acceptor === undefined) {
      acceptor = this.#acceptor(profile);
      this.#others.set(profile.id, acceptor);
    }
    return acceptor;
  }

  #acceptor(profile: TlsProfile): TlsAcceptor {
    return new TlsAcceptor(profile, () => this.listener, this.#state, this.#events);
  }
}

class TlsAcceptor {
  readonly #profile: TlsProfile;
  readonly #listener: () => Listener;
  readonly #state: () => TlsState;
  readonly #server: TlsServer;
  #default = '';
  #ticketSecret: Buffer | undefined;
  #stapling = false;

  constructor(profile: TlsProfile, listener: () => Listener, state: () => TlsState, events: TlsEvents) {
    this.#profile = profile;
    this.#listener = listener;
    this.#state = state;
    const options: TlsOptions & { noDelay: boolean } = {
      ...profile.context,
      // Whether a connection without a (good) certificate is served is for the route to say, over HTTP.
      ...(profile.clientCertificates !== undefined && { requestCert: true, rejectUnauthorized: false }),
      ALPNProtocols: ['h2', 'http/1.1'],
      SNICallback: (name, done) => this.#choose(name, done),
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      noDelay: true,
    };
    this.#server = createTlsServer(options);
    this.#server.on('secureConnection', (socket) => {
      socket.allowHalfOpen = true;
      events.secured(socket, profile);
    });
    this.#server.on('tlsClientError', (error: Error & { readonly code?: string }, socket) => {
      // The accepted socket under it: the way past TLS.
      const { _parent: accepted } = socket as TLSSocket & { readonly _parent?: Socket };
      if (error.code === PLAIN_HTTP && accepted !== undefined) events.plainHttp(accepted);
      else events.failed();
      socket.destroy();
    });
  }

  accept(socket: Socket): void {
    this.#refresh(this.#state());
    // A client that leaves before its handshake is complete is gone: it would otherwise be kept until that times out.
    socket.allowHalfOpen = false;
    this.#server.emit('connection', socket);
  }

  #choose(name: string, done: (error: Error | null, context?: SecureContext) => void): void {
    try {
      const state = this.#state();
      done(null, state.contexts.get(certificateOf(normalServerName(name), this.#listener(), state), this.#profile));
    } catch (error) {
      done(error as Error);
    }
  }

  /** Takes over the default certificate, which serves clients that name no host, and the keys of session tickets. */
  #refresh(state: TlsState): void {
    if (state.staples.size > 0 !== this.#stapling) this.#staple(state.staples.size > 0);
    const name = this.#listener().tls?.defaultCertificate ?? '';
    const secret = state.ticketSecret;
    if (name === this.#default && secret === this.#ticketSecret) return;
    const certificate = state.certificates[name];
    if (certificate === undefined) return;
    const keys = ticketKeys(secret, this.#profile);
    this.#server.setSecureContext({ ...this.#profile.context, cert: certificate.chainPem, key: certificate.keyPem, ticketKeys: keys } as TlsOptions);
    this.#default = name;
    this.#ticketSecret = secret;
  }

  /** Nobody listens while there is nothing to staple: being asked costs every handshake a little. */
  #staple(yes: boolean): void {
    this.#stapling = yes;
    if (!yes) this.#server.removeAllListeners('OCSPRequest');
    else this.#server.on('OCSPRequest', (certificate, _issuer, answer) => answer(null, this.#state().staples.of(certificate) as Buffer));
  }
}
