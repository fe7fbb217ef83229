// Status codes in words: reason phrases (RFC 9110 §15 and the IANA registry) and the short body of a reply that the
// proxy makes itself. The body says no more than status and reason: it goes to strangers.
import { STATUS_CODES } from 'node:http';

const PHRASES: readonly string[] = Array.from({ length: 600 }, (_, status) => STATUS_CODES[status] ?? '');

/** `Not Found` for 404; empty for a status without a phrase, which RFC 9112 §4 allows. */
export function reasonPhrase(status: number): string {
  return PHRASES[status] ?? '';
}

/** `404 Not Found: NoRouteFound` and a line feed; without the colon where the reason is empty. */
export function replyBody(status: number, reason: string): string {
  const phrase = reasonPhrase(status);
  const first = phrase === '' ? String(status) : `${status} ${phrase}`;
  return reason === '' ? `${first}\n` : `${first}: ${reason}\n`;
}
