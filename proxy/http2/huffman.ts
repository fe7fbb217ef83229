// The Huffman code of HPACK (RFC 7541 §5.2, Appendix B). The code is canonical: symbols of equal length have consecutive
// codes in their own order, and shorter ones come first, so that the lengths say it all.

/** Bits of the code of each octet; the last one is EOS, which no string may hold. */
const LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];
const EOS = 256;
const LONGEST = 30;
/** Codes up to this length are found in one step; only octets that are rare in fields have longer ones. */
const QUICK_BITS = 10;

/** For each length: the first code, the number of codes, and where their symbols begin in `SYMBOLS`. */
const FIRST = new Uint32Array(LONGEST + 1);
const COUNT = new Uint32Array(LONGEST + 1);
const OFFSET = new Uint32Array(LONGEST + 1);
const SYMBOLS = new Uint16Array(LENGTHS.length);
/** Symbol and length of the code that the next bits begin with: `symbol << 4 | length`; 0: it is longer. */
const QUICK = new Uint16Array(1 << QUICK_BITS);

function build(): void {
  let code = 0;
  let at = 0;
  for (let length = 1; length <= LONGEST; length++) {
    code *= 2;
    FIRST[length] = code;
    OFFSET[length] = at;
    LENGTHS.forEach((each, symbol) => {
      if (each !== length) return;
      SYMBOLS[at++] = symbol;
      if (length <= QUICK_BITS) QUICK.fill((symbol << 4) | length, code << (QUICK_BITS - length), (code + 1) << (QUICK_BITS - length));
      code++;
    });
    COUNT[length] = code - (FIRST[length] as number);
  }
}
build();

let scratch = Buffer.allocUnsafe(4096);

/** The string behind a Huffman code, one character per octet; undefined: it is none. */
export function decodeHuffman(bytes: Buffer, start: number, end: number): string | undefined {
  // The shortest code has five bits.
  const most = Math.ceil(((end - start) * 8) / 5);
  if (scratch.length < most) scratch = Buffer.allocUnsafe(most * 2);
  let length = 0;
  let bit = start * 8;
  const stop = end * 8;
  while (bit < stop) {
    const quick = QUICK[peek(bytes, bit, end)] as number;
    if (quick !== 0) {
      scratch[length++] = quick >> 4;
      bit += quick & 15;
      continue;
    }
    // The rest may be padding: at most seven bits, all of them one (RFC 7541 §5.2).
    if (stop - bit < 8 && peek(bytes, bit, end) === ALL_ONES) break;
    const symbol = longSymbol(bytes, bit, stop);
    if (symbol === EOS) return undefined;
    scratch[length++] = symbol;
    bit += LENGTHS[symbol] as number;
  }
  return bit > stop ? undefined : scratch.toString('latin1', 0, length);
}

const ALL_ONES = (1 << QUICK_BITS) - 1;

/** The next bits; behind the end they are ones. */
function peek(bytes: Buffer, bit: number, end: number): number {
  const at = bit >> 3;
  const next = at + 1 < end ? (bytes[at + 1] as number) : 0xff;
  const third = at + 2 < end ? (bytes[at + 2] as number) : 0xff;
  return ((((bytes[at] as number) << 16) | (next << 8) | third) >> (24 - QUICK_BITS - (bit & 7))) & ALL_ONES;
}

/** EOS if there is none before the end. */
function longSymbol(bytes: Buffer, start: number, stop: number): number {
  let code = 0;
  for (let length = 1; length <= LONGEST && start + length <= stop; length++) {
    const bit = start + length - 1;
    code = code * 2 + (((bytes[bit >> 3] as number) >> (7 - (bit & 7))) & 1);
    const index = code - (FIRST[length] as number);
    if (index >= 0 && index < (COUNT[length] as number)) return SYMBOLS[(OFFSET[length] as number) + index] as number;
  }
  return EOS;
}
