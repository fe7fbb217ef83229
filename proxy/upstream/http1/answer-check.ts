// What undici lets pass in a response head that our own parser (message-head.ts) refuses. Both clients must refuse the same:
// an answer that can be read in two ways is told to no client, and its connection carries nothing more.
import type { RawHeaders } from '../../http/exchange.ts';
import { sameName } from '../../http/fields.ts';

/** Fields of a response head; beyond it the answer is refused. */
export const MAX_ANSWER_FIELDS = 256;

/** Why the head is refused; undefined: it is fine. What undici checks itself (names, values, lengths, line ends) is not looked at again. */
export function problemOfAnswer(status: number, reason: string, headers: RawHeaders): string | undefined {
  if (status < 100 || status > 599) return 'a status outside 100–599';
  if (holdsControls(reason)) return 'a malformed reason phrase';
  if (headers.length > MAX_ANSWER_FIELDS * 2) return 'too many header fields';
  let codings = 0;
  let lengths = 0;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === 14 && sameName(name, 'content-length')) lengths++;
    if (name.length !== 17 || !sameName(name, 'transfer-encoding')) continue;
    if (++codings > 1) return 'more than one Transfer-Encoding';
    if ((headers[i + 1] as string).toLowerCase() !== 'chunked') return 'a Transfer-Encoding other than chunked';
  }
  if (status < 200 && codings + lengths > 0) return 'an interim response that announces a body';
  return undefined;
}

/** undici has decoded the reason as UTF-8, so only its control characters can be judged. */
function holdsControls(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code < 32 && code !== 9) || code === 127) return true;
  }
  return false;
}
