// The metrics of the data path: names, labels and meaning, once. Workers count under these names (proxy/observe), the
// primary adds the workers up and exposes them. No label holds a host, a path or anything else that a client chooses freely.

export interface MetricDefinition {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

const define = (type: MetricDefinition['type'], name: string, labels: readonly string[], help: string): MetricDefinition => ({ name, type, help, labels });

export const REQUESTS = define('counter', 'fairlead_requests_total', ['namespace', 'ingress', 'service', 'method', 'status', 'reason'],
  'Requests answered, by the object that routed them. reason is empty when an endpoint answered.');
export const REQUEST_DURATION = define('histogram', 'fairlead_request_duration_seconds', ['namespace', 'ingress'],
  'From the end of the request head to the last byte of the response.');
export const REQUEST_BYTES = define('counter', 'fairlead_request_body_bytes_total', ['namespace', 'ingress'], 'Request body bytes received from clients.');
export const RESPONSE_BYTES = define('counter', 'fairlead_response_body_bytes_total', ['namespace', 'ingress'], 'Response body bytes sent to clients.');
export const ATTEMPTS = define('counter', 'fairlead_upstream_attempts_total', ['service', 'result'],
  'Tries at endpoints. result is the class of the status (2xx) or the reason of the failure.');
export const CONNECTIONS = define('gauge', 'fairlead_connections', ['listener'], 'Client connections that are open.');
export const CONNECTIONS_ACCEPTED = define('counter', 'fairlead_connections_accepted_total', ['listener'], 'Client connections accepted.');
export const UPGRADED = define('gauge', 'fairlead_upgraded_connections', [], 'Connections that were upgraded (WebSocket) and are open.');
export const PASSED = define('counter', 'fairlead_passthrough_connections_total', ['service', 'reason'],
  'TLS connections that were passed through unread and are over. reason is empty when the client or the endpoint ended it.');
export const CONNECTIONS_REFUSED = define('counter', 'fairlead_connections_refused_total', ['listener', 'reason'],
  'Client connections closed before anything was served: their address has as many as it may, the PROXY protocol header that was due is missing or wrong, or HTTP came where TLS was due.');
export const HANDSHAKE_FAILURES = define('counter', 'fairlead_tls_handshake_failures_total', ['listener'], 'TLS handshakes that failed.');
export const LOG_LINES_DROPPED = define('counter', 'fairlead_access_log_dropped_total', [], 'Access log lines dropped because their reader was too slow.');
export const EVENT_LOOP_DELAY = define('gauge', 'fairlead_worker_event_loop_delay_seconds', ['worker'], 'Longest delay of the worker\'s event loop since the last scrape.');
export const EVENT_LOOP_DELAY_P99 = define('gauge', 'fairlead_worker_event_loop_delay_p99_seconds', ['worker'], 'Delay of the worker\'s event loop that 99 % of the looks since the last scrape did not exceed.');
export const WORKER_MEMORY = define('gauge', 'fairlead_worker_resident_memory_bytes', ['worker'], 'Resident memory of the worker process.');
export const OPEN_FILES = define('gauge', 'fairlead_worker_open_file_descriptors', ['worker'], 'File descriptors that the worker has open: sockets, above all.');
export const MAX_FILES = define('gauge', 'fairlead_worker_max_file_descriptors', ['worker'], 'File descriptors that the worker may have open; beyond it new connections are closed at once.');
export const OVERLOAD = define('gauge', 'fairlead_worker_overload', ['worker'], '1: HTTP/2 streams and keep-alive are refused; 2: new requests are, all or some of them. 0: neither.');

/** Why a connection is closed before anything is served on it. */
export const REFUSED_CONNECTIONS = ['TooManyConnections', 'InvalidProxyHeader', 'PlainHttpToHttpsPort'] as const;
export type RefusedConnection = (typeof REFUSED_CONNECTIONS)[number];

/** Every metric that a worker counts, in the order in which they are exposed. */
export const WORKER_METRICS: readonly MetricDefinition[] = [
  REQUESTS, REQUEST_DURATION, REQUEST_BYTES, RESPONSE_BYTES, ATTEMPTS, CONNECTIONS, CONNECTIONS_ACCEPTED, UPGRADED,
  PASSED, CONNECTIONS_REFUSED, HANDSHAKE_FAILURES, LOG_LINES_DROPPED, EVENT_LOOP_DELAY, EVENT_LOOP_DELAY_P99, WORKER_MEMORY, OPEN_FILES, MAX_FILES, OVERLOAD,
];

/** Upper bounds of the duration buckets, in seconds. */
export const DURATION_BOUNDS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** The key of one series in `WorkerStats`. */
export function seriesKey(definition: MetricDefinition, ...values: readonly string[]): string {
  return [definition.name, ...values].join('\u0000');
}

/** The metric's name and label values of a key. */
export function readSeriesKey(key: string): { readonly name: string; readonly values: readonly string[] } {
  const [name = '', ...values] = key.split('\u0000');
  return { name, values };
}
