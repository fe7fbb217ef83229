// The access log: one JSON line per request, written when it is over. The fixed parts of a line are put together by hand;
// every text that a client or an endpoint can choose goes through JSON.stringify, so that no request can forge a line.
// Fields: time, msg ("request"), id, client, method, scheme, host, path, target (where it says more than the path),
// protocol, status, reason (empty: an endpoint answered), grpc_status (what an endpoint ended a call with), bytes_in, bytes_out
// (bodies), duration_ms, route (the object and field that routed it), cluster, endpoint (the last one tried), attempts (of a
// failed one the reason and the detail that the system, TLS or a parser gave), user_agent, referer. A TLS connection that was
// passed through has a line with msg "passthrough", and of these fields those that it has; beside them ended_by (client, endpoint, proxy).
import type { Attempt, Exchange, RawHeaders } from '../http/exchange.ts';
import type { Endpoint } from '../table/cluster.ts';
import { originText } from '../table/origin.ts';
import type { Route } from '../table/route.ts';
import { ATOMIC_WRITE, LineWriter } from './line-writer.ts';
import type { ExchangeObserver, Passage } from './observer.ts';

/** Longest text of each kind in characters; `SHORT` serves where escapes have made the line longer than one write. */
interface TextLimits {
  readonly target: number;
  readonly text: number;
  readonly attempts: number;
}
const USUAL: TextLimits = { target: 1024, text: 256, attempts: 8 };
const SHORT: TextLimits = { target: 128, text: 32, attempts: 2 };
/** A UTF-16 unit is at most this many bytes of UTF-8. */
const BYTES_PER_UNIT = 3;

const PROTOCOLS = { '1.0': 'HTTP/1.0', '1.1': 'HTTP/1.1', '2': 'HTTP/2' } as const;

/** An observer that writes one line per exchange. */
export class AccessLog implements ExchangeObserver {
  readonly #writer: LineWriter;

  /** `target`: `stdout`, or the path of a file that is appended to. Throws if the file cannot be opened. */
  constructor(target: string) {
    this.#writer = new LineWriter(target);
  }

  observeExchange(exchange: Exchange, bytesIn: number, bytesOut: number, elapsedMs: number): void {
    this.#writer.write(accessLogLine(exchange, bytesIn, bytesOut, elapsedMs, Date.now()));
  }

  observePassage(passage: Passage): void {
    this.#writer.write(passageLine(passage, Date.now()));
  }

  /** Lines lost because their reader was too slow or gone. */
  get dropped(): number {
    return this.#writer.dropped;
  }

  /** See LineWriter. */
  reopen(): Promise<void> {
    return this.#writer.reopen();
  }

  /** Resolves to true when all lines are with the system, or to false after a second. */
  close(): Promise<boolean> {
    return this.#writer.close();
  }
}

/** One line with its line feed, at most ATOMIC_WRITE bytes. `now`: milliseconds since the epoch, the end of the request. */
export function accessLogLine(exchange: Exchange, bytesIn: number, bytesOut: number, elapsedMs: number, now: number): string {
  const line = format(exchange, bytesIn, bytesOut, elapsedMs, now, USUAL);
  if (line.length * BYTES_PER_UNIT <= ATOMIC_WRITE || Buffer.byteLength(line) <= ATOMIC_WRITE) return line;
  return format(exchange, bytesIn, bytesOut, elapsedMs, now, SHORT);
}

function format(exchange: Exchange, bytesIn: number, bytesOut: number, elapsedMs: number, now: number, limits: TextLimits): string {
  const { request, client, route, attempts } = exchange;
  const detail = exchange.detail === undefined ? '' : `,"detail":${octets(exchange.detail, limits.text)}`;
  const grpc = exchange.grpcStatus === undefined ? '' : `,"grpc_status":${exchange.grpcStatus}`;
  const target = request.target === request.path ? '' : `,"target":${octets(request.target, limits.target)}`;
  const routed = route === undefined ? '' : `,"route":${text(routeText(route), limits.text)}`;
  const cluster = exchange.cluster === undefined ? '' : `,"cluster":${text(exchange.cluster, limits.text)}`;
  const last = attempts[attempts.length - 1];
  const endpoint = last === undefined ? '' : `,"endpoint":${text(endpointText(last.endpoint), limits.text)}`;
  const tried = attempts.length < 2 && last?.error === undefined ? '' : `,"attempts":[${attempts.slice(-limits.attempts).map((attempt) => attemptJson(attempt, limits)).join(',')}]`;
  return `{"time":"${timeText(now)}","msg":"request","id":${text(exchange.id, limits.text)},"client":${text(client.address, limits.text)}`
    + `,"method":${octets(request.method, limits.text)},"scheme":"${client.scheme}","host":${text(request.hostname, limits.text)}`
    + `,"path":${text(request.path, limits.target)}${target},"protocol":"${PROTOCOLS[request.version]}"`
    + `,"status":${exchange.status},"reason":${text(exchange.reason, limits.text)}${detail}${grpc},"bytes_in":${bytesIn},"bytes_out":${bytesOut}`
    + `,"duration_ms":${milliseconds(elapsedMs)}${routed}${cluster}${endpoint}${tried}`
    + `${header(request.headers, 'user-agent', 'user_agent', limits)}${header(request.headers, 'referer', 'referer', limits)}}\n`;
}

/** Nothing in it is of a length that the client chooses. */
export function passageLine({ client, serverName, origin, cluster, endpoint, bytesIn, bytesOut, elapsedMs, endedBy, reason }: Passage, now: number): string {
  const { text: limit } = USUAL;
  return `{"time":"${timeText(now)}","msg":"passthrough","client":${text(client, limit)},"host":${text(serverName, limit)},"reason":${text(reason, limit)},"ended_by":"${endedBy}"`
    + `,"bytes_in":${bytesIn},"bytes_out":${bytesOut},"duration_ms":${milliseconds(elapsedMs)},"route":${text(originText(origin), limit)},"cluster":${text(cluster, limit)}`
    + `${endpoint === undefined ? '' : `,"endpoint":${text(endpointText(endpoint), limit)}`}}\n`;
}

function text(value: string, limit: number): string {
  return JSON.stringify(value.length > limit ? `${value.slice(0, limit)}…` : value);
}

/** What JSON leaves as it is, and terminals obey or readers of lines take for the end of one: 0x9B, 0x85 and their like. */
const INVISIBLE = /[\x7f-\x9f\u2028\u2029]/;
const EACH_INVISIBLE = new RegExp(INVISIBLE, 'g');

/** The same for a text that may hold any octet but those that end a field line, as methods and targets of HTTP/2 do that are refused. */
function octets(value: string, limit: number): string {
  const json = text(value, limit);
  return INVISIBLE.test(json) ? json.replace(EACH_INVISIBLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`) : json;
}

function attemptJson(attempt: Attempt, limits: TextLimits): string {
  const detail = attempt.detail === undefined ? '' : `,"detail":${octets(attempt.detail, limits.text)}`;
  const result = attempt.error === undefined ? `"status":${attempt.status ?? 0}` : `"error":${text(attempt.error, limits.text)}${detail}`;
  return `{"endpoint":${text(endpointText(attempt.endpoint), 64)},${result},"ms":${milliseconds(attempt.elapsedMs ?? 0)}}`;
}

function header(headers: RawHeaders, name: string, field: string, limits: TextLimits): string {
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const seen = headers[at] ?? '';
    if (seen.length === name.length && seen.toLowerCase() === name) return `,"${field}":${octets(headers[at + 1] ?? '', limits.text)}`;
  }
  return '';
}

function endpointText(endpoint: Endpoint): string {
  return endpoint.address.includes(':') ? `[${endpoint.address}]:${endpoint.port}` : `${endpoint.address}:${endpoint.port}`;
}

function milliseconds(value: number): number {
  return Math.round(value * 1000) / 1000;
}

const routeTexts = new WeakMap<Route, string>();
function routeText(route: Route): string {
  let known = routeTexts.get(route);
  if (known === undefined) routeTexts.set(route, (known = originText(route.origin)));
  return known;
}

let lastTime = 0;
let lastText = '';
function timeText(now: number): string {
  if (now !== lastTime) {
    lastTime = now;
    lastText = new Date(now).toISOString();
  }
  return lastText;
}
