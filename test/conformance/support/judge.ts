// What must hold for any bytes whatever that a client sends, however mangled:
//   - every answer is well-formed, and every complete request at the endpoint has its own answer, in order;
//   - a refusal is the last answer and closes the connection;
//   - each request that was served is one that llhttp too reads at that place, with the same method, target, host, fields and body;
//   - nothing else reaches the endpoint: no invented field, no connection's own field, no client's word on who it is.
import { StrictHttpError, field, parseResponses } from '../../support/strict-http1.ts';
import type { ParsedMessage } from '../../support/strict-http1.ts';
import type { ReferenceReading, ReferenceRequest } from './llhttp.ts';
import type { Talk } from './lane.ts';
import type { Witnessed } from './witness.ts';

/** What the proxy writes itself; exactly one of each. */
const OWN = ['host', 'x-request-id', 'x-real-ip', 'x-forwarded-for', 'x-forwarded-port', 'x-forwarded-proto', 'x-forwarded-scheme', 'x-scheme'];
/** What it may add. */
const ADDED = new Set([...OWN, 'x-forwarded-host', 'x-original-forwarded-for', 'x-original-forwarded-host', 'content-length', 'transfer-encoding']);
const NEVER_FORWARDED = new Set(['keep-alive', 'proxy-connection', 'te', 'http2-settings', 'proxy', 'expect']);
const UPGRADE = ['connection', 'upgrade'];

export interface Evidence {
  readonly address: string;
  readonly sent: Buffer;
  readonly talk: Talk;
  readonly witnessed: readonly Witnessed[];
  readonly reference: ReferenceReading;
}

/** All that is wrong; empty: nothing. */
export function judge(evidence: Evidence): string[] {
  const { talk, witnessed, reference } = evidence;
  const wrong: string[] = [];
  if (!talk.closed) wrong.push('the connection hangs');
  let answers: readonly ParsedMessage[];
  let rest: Buffer;
  try {
    ({ responses: answers, rest } = parseResponses(talk.received, [], talk.closed));
  } catch (error) {
    if (!(error instanceof StrictHttpError)) throw error;
    return [...wrong, `a malformed answer: ${error.message}`];
  }
  const bodiless = isRefusalOfHead(rest);
  if (rest.length > 0 && !bodiless) wrong.push(`an answer was cut off: ${JSON.stringify(rest.toString('latin1').slice(0, 200))}`);

  let forwarded = 0;
  let open = true;
  let comparable = true;
  answers.forEach((answer, place) => {
    if (!open) wrong.push(`answer ${place + 1} follows one that closed the connection`);
    if (field(answer, 'connection') === 'close') open = false;
    const own = field(answer, 'x-serial') === undefined;
    const status = statusOf(answer);
    if (own && status >= 400) {
      if (open) wrong.push(`refused with ${status}, and the connection stays open`);
      if (status >= 500 && status !== 501 && status !== 505) wrong.push(`the proxy failed with ${status}: ${answer.body.toString('latin1')}`);
      return;
    }
    const expected = comparable ? reference.requests[place] : undefined;
    // `OPTIONS *` may be answered before the end of its body.
    if (expected === undefined && own && (!open || reference.refused === undefined)) return;
    if (expected === undefined && comparable) {
      if (isStricter(evidence)) comparable = false;
      else wrong.push(`answer ${place + 1} (${status}) is for what llhttp refuses or waits on (${reference.refused ?? 'incomplete'})`);
    }
    if (expected !== undefined && endsReference(expected)) comparable = false;
    if (own) {
      if (expected !== undefined && expected.method !== 'OPTIONS') wrong.push(`answer ${place + 1} (${status}) is the proxy's own`);
    } else {
      wrong.push(...wrongInServed(answer, place, witnessed[forwarded++], evidence.address, expected));
    }
  });
  if (forwarded !== witnessed.length) wrong.push(`${witnessed.length} requests were forwarded and ${forwarded} answered: ${witnessed.map(({ request }) => request.startLine).join(', ')}`);
  if (open && !bodiless && answers.length < reference.requests.length) wrong.push(`${reference.requests.length} complete requests, ${answers.length} answers, and no refusal`);
  return wrong;
}

/** A refusal of HEAD, which has the length of a body and no body. */
function isRefusalOfHead(rest: Buffer): boolean {
  const text = rest.toString('latin1');
  return text.startsWith('HTTP/1.1 4') && text.includes('\r\nconnection: close\r\n') && text.indexOf('\r\n\r\n') === text.length - 4;
}

/** Where llhttp refuses what it may: methods beyond its list, and what follows a Proxy-Connection, which is no field of HTTP (RFC 9112 §C.2.2). */
function isStricter({ reference, sent }: Evidence): boolean {
  if (reference.refused === 'HPE_INVALID_METHOD') return true;
  return reference.refused === 'HPE_CLOSED_CONNECTION' && /proxy-connection/i.test(sent.toString('latin1'));
}

/** llhttp reads nothing behind an upgrade, whatever it is to. */
function endsReference({ headers }: ReferenceRequest): boolean {
  return headers.some((name, i) => i % 2 === 0 && /^upgrade$/i.test(name));
}

function wrongInServed(answer: ParsedMessage, place: number, seen: Witnessed | undefined, address: string, expected: ReferenceRequest | undefined): string[] {
  const wrong: string[] = [];
  const serial = field(answer, 'x-serial');
  if (field(answer, 'x-client') !== address) wrong.push(`answer ${place + 1} belongs to client ${field(answer, 'x-client')}`);
  if (String(seen?.serial) !== serial) wrong.push(`answer ${place + 1} belongs to request ${serial}, not ${seen?.serial}`);
  return seen === undefined ? wrong : [...wrong, ...wrongInForwarded(seen.request, address, expected)];
}

export function statusOf(answer: ParsedMessage): number {
  return Number(answer.startLine.split(' ')[1]);
}

function wrongInForwarded(request: ParsedMessage, address: string, expected: ReferenceRequest | undefined): string[] {
  const wrong: string[] = [];
  const names = request.fields.map(([name]) => name);
  for (const name of OWN) if (names.filter((seen) => seen === name).length !== 1) wrong.push(`${name} was forwarded ${names.filter((seen) => seen === name).length} times`);
  for (const name of ['x-forwarded-for', 'x-real-ip']) if (field(request, name) !== address) wrong.push(`${name} was forwarded as ${field(request, name)}`);
  const upgrade = field(request, 'upgrade') === 'websocket';
  for (const name of names) {
    if (NEVER_FORWARDED.has(name) || name.includes('_') || (!upgrade && UPGRADE.includes(name))) wrong.push(`the field ${name} was forwarded`);
  }
  if (expected === undefined) return wrong;

  const [method, target] = request.startLine.split(' ') as [string, string];
  if (method !== expected.method) wrong.push(`${expected.method} was forwarded as ${method}`);
  // What stands in origin form, without dot segments, goes on as it is.
  if (expected.url.startsWith('/') && !/(^|\/)(\.|%2e)/i.test(expected.url) && target !== expected.url) wrong.push(`${expected.url} was forwarded as ${target}`);
  if (!request.body.equals(expected.body)) wrong.push(`a body of ${expected.body.length} bytes was forwarded as ${request.body.length} others`);
  const sent = new Set<string>();
  for (let i = 0; i < expected.headers.length; i += 2) sent.add(fieldKey(expected.headers[i] as string, expected.headers[i + 1] as string));
  for (const [name, value] of request.fields) {
    if (!ADDED.has(name) && !(upgrade && UPGRADE.includes(name)) && !sent.has(fieldKey(name, value))) wrong.push(`the field ${name} was not in the request`);
  }
  const host = field(request, 'host') ?? '';
  const asked = expected.headers.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'host');
  if (host === '') wrong.push('an empty Host was forwarded');
  // Without one the endpoint's own address stands in its place.
  const none = asked === -1 || expected.headers[asked + 1] === '';
  if (expected.url.startsWith('/') && !sent.has(fieldKey('host', host)) && !(none && host.startsWith('127.0.0.1:'))) wrong.push(`Host ${host} was not in the request`);
  return wrong;
}

function fieldKey(name: string, value: string): string {
  return `${name.toLowerCase()}: ${value.replace(/^[ \t]+|[ \t]+$/g, '')}`;
}
