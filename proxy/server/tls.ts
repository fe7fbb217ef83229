// The only place where secure contexts are built. A TLS listener asks here for the context of a server name; contexts are
// made when a handshake needs them and kept by certificate digest, so that ten thousand certificates cost what is used.
import { createSecureContext, createServer as createTlsServer } from 'node:tls';
import type { SecureContext, SecureContextOptions, Server as TlsServer, TlsOptions } from 'node:tls';
import { LRUCache } from 'lru-cache';
import type { RoutingTable } from '../match/compile.ts';
import type { Certificate } from '../table/certificate.ts';
import type { Listener } from '../table/listener.ts';

/** AEAD suites with forward secrecy for TLS 1.2; those of TLS 1.3 are AEAD by definition. */
const CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');
const KEPT_CONTEXTS = 2_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Secure contexts by certificate, for one listener's protocol settings. */
export class SecureContexts {
  readonly #kept = new LRUCache<string, SecureContext>({ max: KEPT_CONTEXTS });

  /** Throws if chain and key do not load: what the controller publishes has been checked before. */
  get(certificate: Certificate, listener: Listener): SecureContext {
    const key = `${certificate.name} ${listener.tls?.minVersion} ${listener.tls?.ciphers ?? ''}`;
    let context = this.#kept.get(key);
    if (context === undefined) {
      context = createSecureContext({ ...protocolOptions(listener), cert: certificate.chainPem, key: certificate.keyPem });
      this.#kept.set(key, context);
    }
    return context;
  }
}

/** What decides about certificates; read anew at every handshake, so that a swap is live at once. */
export interface TlsState {
  readonly table: RoutingTable;
  readonly certificates: Readonly<Record<string, Certificate>>;
  readonly contexts: SecureContexts;
}

/** The context for a server name: that of its virtual host (exact, then wildcard), else the listener's default certificate. */
export function contextFor(serverName: string, listener: Listener, state: TlsState): SecureContext {
  const hostname = normalServerName(serverName);
  const host = hostname === '' ? undefined : state.table.virtualHost(listener.name, hostname);
  const own = host?.certificate === undefined ? undefined : state.certificates[host.certificate];
  const certificate = own ?? state.certificates[listener.tls?.defaultCertificate ?? ''];
  if (certificate === undefined) throw new Error(`listener ${listener.name} has no default certificate`);
  return state.contexts.get(certificate, listener);
}

/** Lower-case, without trailing dot; empty for what cannot be a hostname. */
export function normalServerName(name: string | false | undefined | null): string {
  if (typeof name !== 'string' || name.length === 0 || name.length > 255) return '';
  const lower = name.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

/** A TLS server that is fed with accepted sockets; it never listens itself. */
export class TlsAcceptor {
  readonly server: TlsServer;
  readonly #state: () => TlsState;
  #default = '';

  constructor(listener: Listener, state: () => TlsState) {
    this.#state = state;
    const options: TlsOptions & { allowHalfOpen: boolean; noDelay: boolean } = {
      ...protocolOptions(listener),
      ALPNProtocols: ['h2', 'http/1.1'],
      SNICallback(name, done) {
        try {
          done(null, contextFor(name, listener, state()));
        } catch (error) {
          done(error as Error);
        }
      },
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      allowHalfOpen: true,
      noDelay: true,
    };
    this.server = createTlsServer(options);
    this.update(listener);
  }

  /** Takes over the listener's default certificate, which serves clients that name no host. */
  update(listener: Listener): void {
    const name = listener.tls?.defaultCertificate ?? '';
    const certificate = this.#state().certificates[name];
    if (name === this.#default || certificate === undefined) return;
    this.server.setSecureContext({ ...protocolOptions(listener), cert: certificate.chainPem, key: certificate.keyPem });
    this.#default = name;
  }
}

function protocolOptions(listener: Listener): Pick<SecureContextOptions, 'minVersion' | 'ciphers' | 'honorCipherOrder'> {
  return { minVersion: listener.tls?.minVersion ?? 'TLSv1.2', ciphers: listener.tls?.ciphers ?? CIPHERS, honorCipherOrder: true };
}
