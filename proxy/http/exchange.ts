// One request and its response, as everything between the listeners and the endpoints sees them. HTTP/1.1, HTTP/2 and
// upgrades enter through these types, so that a codec on either side can be exchanged without touching the other.
import type { Duplex } from 'node:stream';
import type { Endpoint } from '../table/cluster.ts';
import type { Route, VirtualHost } from '../table/route.ts';

/** Header fields as a flat list `[name, value, name, value, …]`: order, case and repeats as received. See fields.ts. */
export type RawHeaders = string[];

/** The downstream peer. `address` is the client's own: behind a trusted proxy it is taken from the forwarded fields. */
export interface Client {
  readonly address: string;
  readonly port: number;
  /** The connection's other end; differs from `address` behind a trusted proxy. */
  readonly peerAddress: string;
  /** True: `peerAddress` is in the listener's `trustedProxies`, or the request came through as many proxies as are counted, so what it forwards is believed. */
  readonly trusted: boolean;
  /** The scheme that the client used: the forwarded one where trusted. */
  readonly scheme: 'http' | 'https';
  /** The port that the client connected to: the forwarded one where trusted. */
  readonly localPort: number;
  /** How many entries of X-Forwarded-For, from the right, it took to come to `address`; absent: none. */
  readonly entries?: number;
  /** Of the connection's own TLS; undefined: it has none. Nothing forwarded changes it. */
  readonly tls?: ClientTls | undefined;
}

/** What the handshake of a connection told. */
export interface ClientTls {
  /** Lower-case SNI; empty: the client named no host. */
  readonly serverName: string;
  /** `ClientCertificates.name` of those under which a certificate was asked for; empty: none was. */
  readonly policy: string;
  /** In the words of nginx: `SUCCESS`, `NONE`, or `FAILED:` and why. */
  readonly verify: string;
  /** What the client showed, believed or not. */
  readonly certificate: ClientCertificate | undefined;
}

export interface ClientCertificate {
  /** RFC 2253: the last RDN first, commas between, what is not ASCII escaped. */
  readonly subject: string;
  readonly issuer: string;
  /** PEM, percent-encoded so that it fits into a header field. */
  readonly escapedPem: string;
}

/** A validated request head. */
export interface Request {
  readonly version: '1.0' | '1.1' | '2';
  readonly method: string;
  /** `host[:port]` as received (Host, `:authority` or absolute-form), validated; empty only in HTTP/1.0 without Host. */
  readonly authority: string;
  /** Host of `authority`: lower-case, without port and trailing dot. */
  readonly hostname: string;
  /** The request target in origin form, as it is sent on: path and query. */
  target: string;
  /** Canonical path (target.ts): what is matched, authorised and logged. */
  readonly path: string;
  /** What else an endpoint may take the path for (readings.ts); empty for all paths without `;` and without an encoded `/`, `\` or `;`. */
  readonly otherPaths: readonly string[];
  /** Without `?`; empty if there is none. */
  readonly query: string;
  headers: RawHeaders;
  /** Undefined: the request has no body. */
  body: BodySource | undefined;
}

/** A message body that arrives over time. Nothing is read before `start`, and never more than the sink takes. */
export interface BodySource {
  /** Declared length in bytes; undefined: unknown (chunked, or HTTP/2 without content-length). */
  readonly length: number | undefined;
  /** True once `start` was called: part of it may be on its way. */
  readonly started: boolean;
  /** Bytes received so far. */
  readonly bytes: number;
  /** All of it, where it is here already and may be sent as often as is needed. */
  readonly whole?: Buffer | undefined;
  /** True: the client sends it when it is told to, by `proceed`, or when it has waited long enough (RFC 9110 §10.1.1). */
  readonly awaitsContinue: boolean;
  /** Tells the client to send it. */
  proceed(): void;
  /** True while everybody waits for the client to send more; false while it waits to be told to. */
  readonly waiting: boolean;
  /** Begins delivery; called once. A body that has already failed calls `onAbort` at once. */
  start(sink: BodySink): void;
  /** `sink`: who asks. From one that no longer has the body, because another one was started, neither does anything. */
  pause(sink: BodySink): void;
  resume(sink: BodySink): void;
}

/** Exactly one of `onEnd` and `onAbort` comes last. `onEnd` means that the sender completed the message. */
export interface BodySink {
  onData(chunk: Buffer): void;
  onEnd(trailers: RawHeaders): void;
  onAbort(error: ProxyError): void;
}

/** The downstream half of a codec: where the response goes. Calls after `end` or `abort` do nothing. */
export interface ResponseWriter {
  /** An interim response (1xx other than 101). */
  inform(status: number, headers: RawHeaders): void;
  /** The final head. `length`: body bytes that will follow, undefined if unknown; hop-by-hop fields are the writer's own business. */
  head(status: number, headers: RawHeaders, length: number | undefined): void;
  /** False: enough for now; `onDrain` follows. */
  data(chunk: Buffer): boolean;
  end(trailers?: RawHeaders): void;
  /** Cuts the response so that the client sees that it is not complete (RST_STREAM, closed connection). */
  abort(): void;
  /** Set by the user of the writer. */
  onDrain: (() => void) | undefined;
  /** Set by the user of the writer: the client went away, or broke its protocol, before the response ended; `reason` says which. Called at most once. */
  onClose: ((reason: string) => void) | undefined;
  /** True once a final head has been given. */
  readonly started: boolean;
  /** Response body bytes accepted so far. */
  readonly bytes: number;
  /** Body bytes that the client takes now, as far as its protocol says. */
  readonly room: number;
  /** The client says that it takes none now. False says nothing: what it takes may be in the system's buffers. */
  readonly shut: boolean;
}

/** A connection that requests share; which one it is tells whose they are. */
export interface SharedConnection {
  /** What its client has sent waits here for its turn: bodies that seem to be late, and room for answers, may be in it. */
  readonly unheard: boolean;
}

/** A request to change the protocol of the connection (RFC 9110 §7.8). Not taken, it is answered like any other request. */
export interface UpgradeRequest {
  /** Lower-case, one of those that are served: `websocket`. */
  readonly protocol: string;
  /** Hands over the connection for good: the socket, and the bytes that came behind the request head. */
  take(): { readonly socket: Duplex; readonly head: Buffer };
}

/** A response that the proxy makes itself. `reason` is the stable word for access log and metrics. */
export interface Reply {
  readonly status: number;
  readonly reason: string;
  readonly headers: RawHeaders;
  readonly body: string;
}

/** One try at one endpoint. */
export interface Attempt {
  readonly endpoint: Endpoint;
  readonly startedAt: number;
  /** Milliseconds until the response head or the failure. */
  elapsedMs?: number;
  status?: number;
  /** Reason of the failure. */
  error?: string;
  /** What the system, TLS or a parser said of it, shortened; nothing secret. */
  detail?: string;
}

/** One request and its response, from the first byte of the head to the last byte of the answer. */
export interface Exchange {
  readonly id: string;
  readonly client: Client;
  readonly request: Request;
  readonly response: ResponseWriter;
  /** Set if the client asks for another protocol. */
  readonly upgrade: UpgradeRequest | undefined;
  /** The client's connection, where it may have more than one request under way. */
  readonly shared: SharedConnection | undefined;
  /** `performance.now()` at the head's end. */
  readonly startedAt: number;
  virtualHost: VirtualHost | undefined;
  route: Route | undefined;
  cluster: string | undefined;
  attempts: Attempt[];
  /** Status sent to the client; 499 if it left first. */
  status: number;
  /** Empty when an endpoint answered; else why the proxy made or cut the response itself. */
  reason: string;
  /** What the endpoint ended a gRPC call with, 0 to 16; undefined: it was none, or did not come to that. */
  grpcStatus: number | undefined;
  /** Of a message that was refused before it was understood: what is wrong with it, for the access log. */
  readonly detail?: string;
  /** The fields of the response that is about to be sent, while the response filters see and change them. */
  responseHeaders: RawHeaders | undefined;
}

/** A request that failed, whose fault it was and whether another endpoint may be tried. */
export interface ProxyError {
  /** Envoy's response-flag long name where it has one: `UpstreamConnectionFailure`. */
  readonly reason: string;
  readonly side: 'downstream' | 'upstream' | 'internal';
  /** `yes`: the endpoint saw nothing of the request; `if-reused`: only a stale connection explains it; `no`: it may have been processed. */
  readonly retry: 'no' | 'yes' | 'if-reused';
  /** The status to answer with if nothing was sent yet. */
  readonly status: number;
  readonly cause?: unknown;
}
