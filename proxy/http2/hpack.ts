// Header compression of HTTP/2 (RFC 7541): the static table, and a decoder with its dynamic table.
import type { RawHeaders } from '../http/exchange.ts';
import { decodeHuffman } from './huffman.ts';

/** RFC 7541 Appendix A, as name and value in turns; index 1 stands first. */
export const STATIC: readonly string[] = [
  ':authority', '', ':method', 'GET', ':method', 'POST', ':path', '/', ':path', '/index.html', ':scheme', 'http', ':scheme', 'https',
  ':status', '200', ':status', '204', ':status', '206', ':status', '304', ':status', '400', ':status', '404', ':status', '500',
  'accept-charset', '', 'accept-encoding', 'gzip, deflate', 'accept-language', '', 'accept-ranges', '', 'accept', '',
  'access-control-allow-origin', '', 'age', '', 'allow', '', 'authorization', '', 'cache-control', '', 'content-disposition', '',
  'content-encoding', '', 'content-language', '', 'content-length', '', 'content-location', '', 'content-range', '', 'content-type', '',
  'cookie', '', 'date', '', 'etag', '', 'expect', '', 'expires', '', 'from', '', 'host', '', 'if-match', '', 'if-modified-since', '',
  'if-none-match', '', 'if-range', '', 'if-unmodified-since', '', 'last-modified', '', 'link', '', 'location', '', 'max-forwards', '',
  'proxy-authenticate', '', 'proxy-authorization', '', 'range', '', 'referer', '', 'refresh', '', 'retry-after', '', 'server', '',
  'set-cookie', '', 'strict-transport-security', '', 'transfer-encoding', '', 'user-agent', '', 'vary', '', 'via', '', 'www-authenticate', '',
];
const STATIC_COUNT = STATIC.length / 2;
/** What an entry counts beside its octets (RFC 7541 §4.1, RFC 9113 §6.5.2). */
const ENTRY_OVERHEAD = 32;
/** SETTINGS_HEADER_TABLE_SIZE where nobody says otherwise, and nobody here does. */
const TABLE_BYTES = 4096;

/** A block that is no HPACK: the connection's tables can never agree again. */
export class HpackError extends Error {}

const NOTHING: Buffer = Buffer.alloc(0);

export class HpackDecoder {
  /** The last block held more than is allowed; what was over is not in its list. */
  tooLarge = false;
  /** Octets of the last block, as they count for its limit. */
  bytes = 0;
  readonly #maxBytes: number;
  readonly #maxFields: number;
  /** Newest entry last, name and value in turns. */
  readonly #table: string[] = [];
  #tableBytes = 0;
  #tableLimit = TABLE_BYTES;
  #block = NOTHING;
  #at = 0;

  /** Limits of one list of fields: octets as SETTINGS_MAX_HEADER_LIST_SIZE counts them, and number. */
  constructor(maxBytes: number, maxFields: number) {
    this.#maxBytes = maxBytes;
    this.#maxFields = maxFields;
  }

  /** The fields of a whole block, in order. Throws `HpackError`. */
  decode(block: Buffer): RawHeaders {
    const fields: RawHeaders = [];
    this.bytes = 0;
    let most = this.#maxFields * 2;
    this.tooLarge = false;
    this.#block = block;
    this.#at = 0;
    while (this.#at < block.length) {
      const first = block[this.#at] as number;
      let name: string;
      let value: string;
      if (first >= 0x80) {
        const index = this.#integer(7);
        name = this.#entry(index, 0);
        value = this.#entry(index, 1);
      } else if (first >= 0x20 && first < 0x40) {
        if (fields.length > 0 || this.tooLarge) throw new HpackError('a table size within a block');
        this.#resize(this.#integer(5));
        continue;
      } else {
        const remember = first >= 0x40;
        const index = this.#integer(remember ? 6 : 4);
        name = index === 0 ? this.#string() : this.#entry(index, 0);
        value = this.#string();
        if (remember) this.#remember(name, value);
      }
      this.bytes += name.length + value.length + ENTRY_OVERHEAD;
      // A cookie comes in as many fields as it has pairs (RFC 9113 §8.2.3), which are not many fields for that.
      if (name === 'cookie') most += 2;
      if (this.bytes > this.#maxBytes || fields.length >= most) this.tooLarge = true;
      else fields.push(name, value);
    }
    // It is cut from a slab that many share, which would last as long as the connection.
    this.#block = NOTHING;
    return fields;
  }

  /** `part`: 0 the name, 1 the value. */
  #entry(index: number, part: 0 | 1): string {
    if (index === 0) throw new HpackError('index 0');
    if (index <= STATIC_COUNT) return STATIC[(index - 1) * 2 + part] as string;
    const text = this.#table[this.#table.length - (index - STATIC_COUNT) * 2 + part];
    if (text === undefined) throw new HpackError('an index without entry');
    return text;
  }

  #remember(name: string, value: string): void {
    this.#tableBytes += name.length + value.length + ENTRY_OVERHEAD;
    this.#table.push(name, value);
    this.#evict();
  }

  #resize(limit: number): void {
    if (limit > TABLE_BYTES) throw new HpackError('a table larger than is allowed');
    this.#tableLimit = limit;
    this.#evict();
  }

  #evict(): void {
    const table = this.#table;
    let gone = 0;
    while (this.#tableBytes > this.#tableLimit) {
      this.#tableBytes -= (table[gone] as string).length + (table[gone + 1] as string).length + ENTRY_OVERHEAD;
      gone += 2;
    }
    if (gone > 0) table.splice(0, gone);
  }

  /** RFC 7541 §5.1; the prefix has this many bits. */
  #integer(prefix: number): number {
    const mask = (1 << prefix) - 1;
    let value = this.#octet() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const octet = this.#octet();
      value += (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
    throw new HpackError('an integer that is too large');
  }

  #string(): string {
    const coded = (this.#block[this.#at] as number) >= 0x80;
    const length = this.#integer(7);
    const start = this.#at;
    const end = start + length;
    if (end > this.#block.length) throw new HpackError('a string beyond the block');
    this.#at = end;
    if (!coded) return this.#block.toString('latin1', start, end);
    const text = decodeHuffman(this.#block, start, end);
    if (text === undefined) throw new HpackError('a string that is not Huffman-coded');
    return text;
  }

  #octet(): number {
    const octet = this.#block[this.#at++];
    if (octet === undefined) throw new HpackError('a block that ends too early');
    return octet;
  }
}
