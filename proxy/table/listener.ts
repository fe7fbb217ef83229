// A Listener: an address, port and protocol on which the proxy accepts connections, and whom it believes there.

/** One listening socket of every worker. Port 0 lets the system choose; the first worker's choice binds all. */
export interface Listener {
  /** `http` or `https`: virtual hosts name the listeners that they are served on. */
  readonly name: string;
  /** The local address to bind, `::` for all (both families). */
  readonly address: string;
  readonly port: number;
  readonly protocol: 'HTTP' | 'HTTPS';
  /** True: every connection from a peer in `proxyProtocolFrom` must begin with a PROXY protocol header (v1 or v2), and no other may. */
  readonly proxyProtocol: boolean;
  /** CIDRs; absent: every peer. */
  readonly proxyProtocolFrom?: readonly string[];
  /** CIDRs of peers whose `X-Forwarded-*` are believed. Empty: nobody is. */
  readonly trustedProxies: readonly string[];
  /**
   * How many proxies that write X-Forwarded-For stand in front, from 1; absent: who one is, is told by address alone. Counted from the right, and
   * nothing forwarded is believed of a request that has fewer entries. With `trustedProxies` empty every peer is taken for one of them.
   */
  readonly trustedHops?: number;
  /** HTTP only: the port by which clients come, where a Service or a NAT stands before this one, for X-Forwarded-Port; absent: this one. */
  readonly forwardedPort?: number;
  /** HTTPS only. */
  readonly tls?: ListenerTls;
}

/** TLS settings of a listener. Certificates are named by digest (`Certificate.name`). */
export interface ListenerTls {
  /** Served when SNI is absent or matches no virtual host that has a certificate. */
  readonly defaultCertificate: string;
  readonly minVersion: TlsVersion;
  /** Absent: the newest there is. */
  readonly maxVersion?: TlsVersion;
  /** OpenSSL cipher list for TLS 1.2; absent: AEAD suites only. */
  readonly ciphers?: string;
  /** True: of the suites that both sides have, the client's favourite; else the server's. */
  readonly preferClientCiphers?: true;
}

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';
