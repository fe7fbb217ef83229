// The server name of a TLS ClientHello (RFC 8446 §4.1.2, RFC 6066 §3), read without terminating anything: it says which TLS
// server a connection belongs to before one is chosen. A name that cannot be understood is none: OpenSSL refuses it later.

export interface ClientHello {
  /** As the client wrote it, one character per byte; empty: it named nobody. */
  readonly serverName: string;
}

const RECORD_HEADER = 5;
const HANDSHAKE_HEADER = 4;
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME_EXTENSION = 0;
const HOST_NAME = 0;
/** RFC 8446 §5.1: a record of plain text holds no more. */
const MAX_RECORD = 16_384;
/** Nobody who means well cuts a hello into more; looking at each byte again and again would be work for nothing. */
const MAX_RECORDS = 16;
const NO_NAME = '';

/** `incomplete`: more bytes are needed; `other`: this is no TLS handshake. `bytes`: from the first one of the connection on. */
export function readClientHello(bytes: Buffer): ClientHello | 'incomplete' | 'other' {
  const message = handshakeMessage(bytes);
  return typeof message === 'string' ? message : { serverName: serverNameOf(message) };
}

/** True: OpenSSL would go on reading these bytes as a handshake, and might make more of it than is understood here. */
export function beginsAsHandshake(bytes: Buffer): boolean {
  return bytes[0] === HANDSHAKE_RECORD;
}

/** The body of the first handshake message, perhaps spread over several records. */
function handshakeMessage(bytes: Buffer): Buffer | 'incomplete' | 'other' {
  const fragments: Buffer[] = [];
  let held = 0;
  for (let at = 0; fragments.length < MAX_RECORDS; ) {
    if (at < bytes.length && bytes[at] !== HANDSHAKE_RECORD) return 'other';
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return 'other';
    if (at + RECORD_HEADER > bytes.length) return 'incomplete';
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > MAX_RECORD) return 'other';
    const fragment = bytes.subarray(at + RECORD_HEADER, at + RECORD_HEADER + length);
    if (held === 0 && fragment.length > 0 && fragment[0] !== CLIENT_HELLO) return 'other';
    fragments.push(fragment);
    held += fragment.length;
    if (held >= HANDSHAKE_HEADER) {
      const message = fragments.length === 1 ? fragment : Buffer.concat(fragments, held);
      const size = message.readUIntBE(1, 3);
      if (held >= HANDSHAKE_HEADER + size) return message.subarray(HANDSHAKE_HEADER, HANDSHAKE_HEADER + size);
    }
    if (fragment.length < length) return 'incomplete';
    at += RECORD_HEADER + length;
  }
  return 'other';
}

function serverNameOf(hello: Buffer): string {
  // legacy_version and random, then three vectors with lengths of 1, 2 and 1 bytes.
  let at = 2 + 32;
  at += 1 + (hello[at] ?? 0);
  at += 2 + readLength(hello, at);
  at += 1 + (hello[at] ?? 0);
  const end = at + 2 + readLength(hello, at);
  at += 2;
  if (end > hello.length) return NO_NAME;
  while (at + 4 <= end) {
    const type = hello.readUInt16BE(at);
    const length = hello.readUInt16BE(at + 2);
    at += 4;
    if (at + length > end) break;
    if (type === SERVER_NAME_EXTENSION) return firstName(hello.subarray(at, at + length));
    at += length;
  }
  return NO_NAME;
}

/** Of a ServerNameList; only host names exist, and at most one of them is allowed. */
function firstName(list: Buffer): string {
  if (list.length < 5 || readLength(list, 0) !== list.length - 2 || list[2] !== HOST_NAME) return NO_NAME;
  const length = readLength(list, 3);
  return 5 + length === list.length ? list.toString('latin1', 5, 5 + length) : NO_NAME;
}

function readLength(bytes: Buffer, at: number): number {
  return at + 2 <= bytes.length ? bytes.readUInt16BE(at) : 0;
}
