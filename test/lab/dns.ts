// The cluster's DNS server (RFC 1035, UDP): A and AAAA records of Services by their cluster names, as CoreDNS answers them.
// A Service without a record of the asked family has no data; a name that it does not know does not exist.
import type { Socket } from 'node:dgram';
import { isIPv4 } from 'node:net';

const TYPE_A = 1;
const TYPE_AAAA = 28;
const CLASS_IN = 1;
const NAME_ERROR = 3;
const HEADER = 12;
const TTL_SECONDS = 5;

/** Addresses by full name, without the dot at the end. */
export type Records = ReadonlyMap<string, readonly string[]>;

/** Answers queries until the socket is closed. `records` is asked anew for each. */
export function serveDns(socket: Socket, records: () => Records): void {
  socket.on('message', (query, peer) => {
    const answer = answerQuery(query, records());
    if (answer !== undefined) socket.send(answer, peer.port, peer.address);
  });
}

/** The answer to one query; undefined if it is none. */
export function answerQuery(query: Buffer, records: Records): Buffer | undefined {
  const isQuery = query.length > HEADER && (query.readUInt16BE(2) & 0x8000) === 0 && query.readUInt16BE(4) === 1;
  const question = isQuery ? readQuestion(query) : undefined;
  if (question === undefined) return undefined;
  const addresses = records.get(question.name);
  const answers = question.type === TYPE_A || question.type === TYPE_AAAA ? (addresses ?? []).filter((address) => isIPv4(address) === (question.type === TYPE_A)) : [];
  const header = Buffer.from(query.subarray(0, HEADER));
  // Answer, authoritative, recursion as asked and available.
  header.writeUInt16BE(0x8480 | (query.readUInt16BE(2) & 0x0100) | (addresses === undefined ? NAME_ERROR : 0), 2);
  header.writeUInt16BE(answers.length, 6);
  header.writeUInt16BE(0, 8);
  header.writeUInt16BE(0, 10);
  return Buffer.concat([header, query.subarray(HEADER, question.end), ...answers.map((address) => record(address, question.type))]);
}

interface Question {
  readonly name: string;
  readonly type: number;
  /** Where the question ends. */
  readonly end: number;
}

function readQuestion(query: Buffer): Question | undefined {
  const labels: string[] = [];
  let at = HEADER;
  for (;;) {
    const length = query[at];
    if (length === undefined || length > 63) return undefined;
    at += 1;
    if (length === 0) break;
    labels.push(query.toString('latin1', at, at + length).toLowerCase());
    at += length;
  }
  return at + 4 > query.length ? undefined : { name: labels.join('.'), type: query.readUInt16BE(at), end: at + 4 };
}

function record(address: string, type: number): Buffer {
  const data = isIPv4(address) ? Buffer.from(address.split('.').map(Number)) : ipv6Bytes(address);
  const head = Buffer.alloc(12);
  // The name is the question's, by pointer.
  head.writeUInt16BE(0xc000 | HEADER, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(CLASS_IN, 4);
  head.writeUInt32BE(TTL_SECONDS, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function ipv6Bytes(address: string): Buffer {
  const [left = '', right = ''] = address.split('::');
  const groups = (half: string): number[] => (half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16)));
  const all = [...groups(left), ...Array<number>(8 - groups(left).length - groups(right).length).fill(0), ...groups(right)];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
