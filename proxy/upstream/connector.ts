// Opens connections to endpoints, plain or TLS as the cluster says, with a timeout that is exact (undici's own is coarse).
// Counts the sockets that are open. Every socket keeps an `error` listener for life, so that none can end the process.
import net from 'node:net';
import tls from 'node:tls';
import type { Certificate } from '../table/certificate.ts';
import type { Cluster, Endpoint, UpstreamTls } from '../table/cluster.ts';
import { intermediates } from './chain-length.ts';
import { ConnectError } from './errors.ts';

/** The last TLS session of an endpoint, for the next connection to it under the same settings. */
export interface SessionStore {
  session: Buffer | undefined;
}

export type Connected = (error: ConnectError | null, socket: net.Socket | null) => void;

const KEEP_ALIVE_PROBE_MS = 15_000;
const BUFFER_BYTES = 64 * 1024;
const ignore = (): void => {};

export class Connector {
  /** Client certificates by `Certificate.name`; exchanged with the table. */
  certificates: Readonly<Record<string, Certificate>> = {};
  #open = 0;
  readonly #contexts = new WeakMap<UpstreamTls, tls.SecureContext>();

  /** Connections to endpoints that are established now. */
  get open(): number {
    return this.#open;
  }

  /** Calls `connected` exactly once, never before it returns. */
  connect(cluster: Cluster, endpoint: Endpoint, connected: Connected, sessions?: SessionStore): void {
    let socket: net.Socket;
    try {
      socket = cluster.tls === undefined ? net.connect(clearTextOptions(endpoint)) : tls.connect(this.#tlsOptions(cluster, cluster.tls, endpoint, sessions?.session));
    } catch (error) {
      // A certificate or key that OpenSSL does not take, or an address that is none.
      process.nextTick(connected, new ConnectError('UpstreamConnectionFailure', messageOf(error), error), null);
      return;
    }
    let settled = false;
    const timer = setTimeout(() => {
      fail(new ConnectError('UpstreamConnectionTimeout', `no connection within ${cluster.connectTimeoutMs} ms`));
    }, cluster.connectTimeoutMs);
    const fail = (error: ConnectError): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      socket.destroy();
      connected(error, null);
    };
    socket.on('error', ignore);
    if (sessions !== undefined) socket.on('session', (session: Buffer) => (sessions.session = session));
    socket.once('error', (error) => fail(new ConnectError('UpstreamConnectionFailure', error.message, error)));
    socket.once('close', () => fail(new ConnectError('UpstreamConnectionFailure', 'closed before the connection was established')));
    socket.once(cluster.tls === undefined ? 'connect' : 'secureConnect', () => {
      if (settled) return;
      if (cluster.tls !== undefined && chainIsTooLong(socket as tls.TLSSocket, cluster.tls)) {
        if (sessions !== undefined) sessions.session = undefined;
        fail(new ConnectError('UpstreamConnectionFailure', 'the certificate chain is longer than allowed'));
        return;
      }
      settled = true;
      clearTimeout(timer);
      this.#open++;
      socket.once('close', () => this.#open--);
      connected(null, socket);
    });
  }

  #tlsOptions(cluster: Cluster, settings: UpstreamTls, endpoint: Endpoint, session: Buffer | undefined): tls.ConnectionOptions {
    const { serverName, sendServerName = true, verify } = settings;
    return {
      ...tcpOptions(endpoint),
      secureContext: this.#secureContext(settings),
      ALPNProtocols: [cluster.protocol === 'HTTP/2' ? 'h2' : 'http/1.1'],
      session,
      rejectUnauthorized: verify,
      // SNI carries names only (RFC 6066 §3); the check is always against the name that the cluster was given.
      servername: serverName === undefined || !sendServerName || net.isIP(serverName) !== 0 ? '' : serverName,
      checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(serverName ?? endpoint.address, certificate),
    };
  }

  /** One per TLS settings: building one parses every trust anchor. */
  #secureContext(settings: UpstreamTls): tls.SecureContext {
    let context = this.#contexts.get(settings);
    if (context === undefined) {
      const { caPem, crlPem, clientCertificate, minVersion, maxVersion, ciphers } = settings;
      const certificate = clientCertificate === undefined ? undefined : this.certificates[clientCertificate];
      if (clientCertificate !== undefined && certificate === undefined) throw new Error('the client certificate of the cluster is not in the table');
      context = tls.createSecureContext({ ca: caPem, crl: crlPem, cert: certificate?.chainPem, key: certificate?.keyPem, minVersion, maxVersion, ciphers });
      this.#contexts.set(settings, context);
    }
    return context;
  }
}

/** A session that is resumed was looked at when it began. */
function chainIsTooLong(socket: tls.TLSSocket, { verify, depth, caPem }: UpstreamTls): boolean {
  return verify && depth !== undefined && !socket.isSessionReused() && intermediates(socket, caPem) > depth;
}

function tcpOptions(endpoint: Endpoint): net.TcpNetConnectOpts {
  return {
    host: endpoint.address,
    port: endpoint.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
  };
}

/** A socket that is stopped takes one more piece in, and no second one: slow clients may be many. */
function clearTextOptions(endpoint: Endpoint): net.TcpNetConnectOpts & { readonly readableHighWaterMark: number; readonly writableHighWaterMark: number } {
  return { ...tcpOptions(endpoint), readableHighWaterMark: 1, writableHighWaterMark: BUFFER_BYTES };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
