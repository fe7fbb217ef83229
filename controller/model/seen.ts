// How a user's own text is shown in a Problem: quoted, shortened, and with nothing left in it that could steer a terminal
// or break a log line.

const LONGEST = 120;
// JSON leaves these alone, yet terminals obey them: DEL and C1 controls, and marks that break lines or turn the direction of text.
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** `"text"` with escapes; what is longer than 120 characters is cut, and the length told. */
export function seen(text: string): string {
  const shown = text.length > LONGEST ? text.slice(0, LONGEST) : text;
  const quoted = JSON.stringify(shown).replace(UNSAFE, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return shown === text ? quoted : `${quoted}… (${text.length} characters)`;
}
