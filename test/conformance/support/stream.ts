// What one client sends on one connection: bytes, and where they are cut into separate writes. Payloads are written as
// Latin-1 strings, one character per byte.

export interface Stream {
  readonly bytes: Buffer;
  /** Offsets at which a new write begins, ascending; empty: one write. */
  readonly cuts: readonly number[];
}

export function streamOf(text: string, cuts: readonly number[] = []): Stream {
  return { bytes: Buffer.from(text, 'latin1'), cuts };
}

/** The writes, in order. */
export function pieces({ bytes, cuts }: Stream): Buffer[] {
  const edges = [0, ...cuts.filter((cut) => cut > 0 && cut < bytes.length), bytes.length];
  return edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge)).filter((piece) => piece.length > 0);
}

/** Bytes as a string literal that can be pasted into a test. */
export function literal(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1')).replaceAll(/[\u007f-\u00ff]/g, (byte) => `\\u${byte.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
