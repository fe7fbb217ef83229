// A fast, well-mixed 64-bit hash of a string as two 32-bit halves. Not cryptographic: it spreads load and must give the
// same result on every worker, replica and version. Changing it moves every key once.

/** Filled by `hash`; shared, to spare an allocation per request. Read it before the next call. */
export const halves = { low: 0, high: 0 };

export function hash(text: string): void {
  let low = 0x9e3779b9;
  let high = 0x85ebca6b;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit, 0x5bd1e995);
    high ^= high >>> 15;
  }
  halves.low = mix(low ^ text.length);
  halves.high = mix(high ^ low);
}

/** Every bit of the input changes half of the bits of the result (finaliser of MurmurHash3). The result is unsigned. */
export function mix(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
