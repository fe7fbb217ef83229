// What one client may ask of a listener. The flags say the most of it; the rest is fixed, because nobody needs to turn it.
import type { WorkerLimits } from '../table/messages.ts';

export interface Limits extends WorkerLimits {
  /** Longest request line in bytes: beyond it 414. */
  readonly requestLineBytes: number;
  /** Number of header fields: beyond it 431. */
  readonly headerCount: number;
  /** Chunk extensions and trailers of one message, in bytes: beyond it 400. */
  readonly chunkOverheadBytes: number;
  /** Longest time that a client takes no byte of an answer. */
  readonly writeStallMs: number;
}

/** The request line may take a quarter of the head, and at least 8 KiB, as users of ingress-nginx have it. What is given is kept. */
export function completeLimits(limits: WorkerLimits & Partial<Limits>): Limits {
  return {
    requestLineBytes: Math.min(limits.headBytes, Math.max(8 * 1024, limits.headBytes / 4)),
    headerCount: 128,
    chunkOverheadBytes: 16 * 1024,
    writeStallMs: 120_000,
    ...limits,
  };
}
