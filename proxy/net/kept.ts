// Bytes that wait. What is read is cut from slabs that many connections share, and a few bytes that somebody keeps
// hold all of their slab: thousands of clients that each send a beginning and then nothing would hold as many slabs.

/** The same bytes, in memory of their own if they lie in more than four times as much. */
export function kept(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength <= 4 * bytes.length) return bytes;
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own;
}
