// The Date field (RFC 9110 §6.6.1) of responses that come without one.
let text = '';
let second = 0;

/** The field's value now, made once a second. */
export function dateNow(): string {
  const now = Math.trunc(Date.now() / 1000);
  if (now !== second) {
    second = now;
    text = new Date(now * 1000).toUTCString();
  }
  return text;
}
