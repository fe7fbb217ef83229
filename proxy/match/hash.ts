// FNV-1a over char codes, one step at a time, so that a prefix of a text can be hashed without being cut out of it.
// It starts from a random value in every process: nobody can prepare names that all fall into one place.

export const HASH_START = (Math.random() * 0x1_0000_0000) | 0;

export function hashStep(hash: number, code: number): number {
  return Math.imul(hash ^ code, 0x01000193);
}

/** A whole number of 32 bits. */
export function hashOf(text: string): number {
  let hash = HASH_START;
  for (let i = 0; i < text.length; i++) hash = hashStep(hash, text.charCodeAt(i));
  return hash;
}
