// What the primary process and a worker say to each other over IPC. Plain data; the proxy owns the language.
import type { RetryPolicy } from './route.ts';
import type { Delta, Snapshot } from './snapshot.ts';

/** Primary → worker. */
export type ToWorker =
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly type: 'delta'; readonly delta: Delta }
  /** 32 random bytes in base64, from which the keys of session tickets are made; the same for all workers, and changed now and then. */
  | { readonly type: 'ticketSecret'; readonly secret: string }
  /** Answer with `stats` carrying the same id. */
  | { readonly type: 'collect'; readonly id: number }
  | { readonly type: 'ping' }
  /** The access log's file has been moved away: open a new one of that name. */
  | { readonly type: 'reopenLog' }
  /** Stop accepting, finish what is open within `graceMs`, then exit 0. */
  | { readonly type: 'drain'; readonly graceMs: number };

/** Worker → primary. */
export type FromWorker =
  /** The process is up and wants its first snapshot. */
  | { readonly type: 'hello' }
  /** The table `version` is in force and all its listeners accept; `ports` by listener name. */
  | { readonly type: 'applied'; readonly version: number; readonly ports: Readonly<Record<string, number>> }
  /** A delta did not fit: send a snapshot. */
  | { readonly type: 'resync'; readonly have: number }
  /** A table or a listener could not be put in force; the previous one still serves. */
  | { readonly type: 'refused'; readonly version: number; readonly error: string }
  | { readonly type: 'stats'; readonly id: number; readonly stats: WorkerStats }
  /** The access log could not be opened anew; lines go on to where they went. */
  | { readonly type: 'logNotReopened'; readonly error: string }
  /** The last word before the process ends: requests and upgraded connections that were still open at the end of the grace, and cut. */
  | { readonly type: 'drained'; readonly cut: number }
  /** The answer to a ping; also unasked, while requests are being finished. */
  | { readonly type: 'pong' };

/** What a worker process is told at its start, as JSON in the environment variable `FAIRLEAD_WORKER`. */
export interface WorkerOptions {
  /** From 0; a replacement keeps the number of the worker that it replaces. */
  readonly index: number;
  /** `stdout`, `off`, or the path of a file that is appended to. */
  readonly accessLog: string;
  readonly limits: WorkerLimits;
  readonly timeouts: WorkerTimeouts;
  readonly forwarding: WorkerForwarding;
  readonly memory: WorkerMemory;
}

/** What the processes together may use; near it, new work is refused. */
export interface WorkerMemory {
  /** 0: the container's limit, if it has one. */
  readonly limitBytes: number;
  /** How many processes share it, the primary included. */
  readonly processes: number;
}

/** What one client may ask for, where no route says otherwise. */
export interface WorkerLimits {
  /** Request line and all header fields, in bytes. */
  readonly headBytes: number;
  /** Request body in bytes; 0: no limit. */
  readonly bodyBytes: number;
  /** From the first byte of a request head to its last. */
  readonly headTimeoutMs: number;
  /** Longest silence while a request body is awaited. */
  readonly bodyTimeoutMs: number;
  /** How long an idle client connection is kept. */
  readonly keepAliveTimeoutMs: number;
  /** Requests served on one client connection before it is closed. */
  readonly keepAliveRequests: number;
  /** HTTP/2 streams open at once on one client connection. */
  readonly maxConcurrentStreams: number;
  /** Connections of one client address at a worker; trusted proxies have as many as they like. 0: no limit. */
  readonly connectionsPerAddress: number;
  /** Longest time in which no byte goes either way on a TLS connection that is passed through. 0: no limit. */
  readonly passthroughIdleMs: number;
}

/** Defaults for what `Timeouts` of a route leaves open; the meaning of each is the one there. */
export interface WorkerTimeouts {
  readonly responseHeadMs: number;
  readonly readIdleMs: number;
  readonly sendIdleMs: number;
  /** 0: no limit. */
  readonly requestMs: number;
}

/** How requests are brought to endpoints where a route says nothing else. Counts are of one worker. */
export interface WorkerForwarding {
  readonly retry: RetryPolicy;
  readonly requestBuffering: boolean;
  /** Requests under way at one endpoint. */
  readonly endpointRequests: number;
  /** Requests that wait, per cluster, while all of its endpoints have as many as they may. */
  readonly waitingRequests: number;
}

/** Hot counters of one worker since its start; the primary adds the workers up at scrape. Names, labels and buckets: metrics.ts. */
export interface WorkerStats {
  /** Key: name of the metric and its label values in the order of its definition, joined by `\u0000`. The same in all three records. */
  readonly counters: Readonly<Record<string, number>>;
  readonly gauges: Readonly<Record<string, number>>;
  readonly histograms: Readonly<Record<string, HistogramData>>;
}

export interface HistogramData {
  /** Upper bounds, ascending, without +Inf. */
  readonly bounds: readonly number[];
  /** One count per bound and a last one for +Inf; not cumulative. */
  readonly counts: readonly number[];
  readonly sum: number;
}
