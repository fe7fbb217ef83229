// Makes a stream that shows a violation as small as it still shows it: pieces are left out, halves first, then single bytes.
import type { Stream } from '../support/stream.ts';

/** `shows`: whether a stream still shows the violation. At most `tries` streams are tried. */
export async function minimise(stream: Stream, shows: (stream: Stream) => Promise<boolean>, tries = 2_000): Promise<Stream> {
  let left = tries;
  let best = stream;
  const attempt = async (candidate: Stream): Promise<boolean> => {
    if (left-- <= 0 || !(await shows(candidate))) return false;
    best = candidate;
    return true;
  };
  if (best.cuts.length > 0) await attempt({ ...best, cuts: [] });
  for (let size = best.bytes.length >> 1; size >= 1 && left > 0; size >>= 1) {
    for (let at = 0; at < best.bytes.length && left > 0; ) {
      const bytes = Buffer.concat([best.bytes.subarray(0, at), best.bytes.subarray(at + size)]);
      const cuts = best.cuts.map((cut) => (cut > at ? Math.max(at, cut - size) : cut));
      if (!(await attempt({ bytes, cuts }))) at += size;
    }
  }
  return best;
}
