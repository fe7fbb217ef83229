// What the bench asks of its client process, and what that answers: JSON in its first argument, JSON on its standard output.
export interface Order {
  readonly protocol: 'http1' | 'http2' | 'websocket';
  readonly port: number;
  readonly tls: boolean;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of the request; of a message with WebSocket, where it is below 126. */
  readonly bodyBytes: number;
  /** At once; with HTTP/2: streams. */
  readonly connections: number;
  /** A connection for every request. */
  readonly fresh: boolean;
  /** Requests a second, whatever the answers do; 0: every connection sends as soon as its answer has come; absent: one request each and then silence, until standard input ends. */
  readonly rate?: number;
  readonly seconds: number;
}

export interface Outcome {
  readonly requests: number;
  readonly errors: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}
