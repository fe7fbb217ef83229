// How a user's own text is shown in a Problem: quoted, shortened, and with nothing left in it that could steer a terminal
// or break a log line.

const LONGEST = 120;
// JSON leaves some of these alone, yet terminals obey them: controls, and marks that break lines or turn the direction of text.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** `"text"` with escapes; what is longer than 120 characters is cut, and the length told. */
export function seen(text: string): string {
  const shown = text.length > LONGEST ? text.slice(0, LONGEST) : text;
  const quoted = JSON.stringify(shown).replace(UNSAFE, (mark) => `\\u{${mark.codePointAt(0)!.toString(16)}}`);
  return shown === text ? quoted : `${quoted}… (${text.length} characters)`;
}
