// Regular expressions that users write: RE2 syntax, matched in time linear in the input (re2js), so that no pattern can stop a
// worker. Patterns are bounded in length and in size once repetitions are unfolded; what is wrong with one is a value.
import { RE2JS } from 're2js';

/** In characters. */
export const MAX_REGEX_LENGTH = 1_000;
const MAX_PROGRAM = 1_000;

/** True: the pattern is found in the text (unless it is anchored, anywhere in it). */
export type TextTest = (text: string) => boolean;

export interface RegexError {
  /** Sentence fragment: what is wrong. */
  readonly error: string;
}

export interface RegexOptions {
  readonly ignoreCase?: boolean;
  /** The match must begin where the text begins. */
  readonly anchored?: boolean;
}

export function compileRegex(pattern: string, options: RegexOptions = {}): TextTest | RegexError {
  if (pattern.length > MAX_REGEX_LENGTH) return { error: `the regular expression has ${pattern.length} characters; ${MAX_REGEX_LENGTH} are allowed` };
  const flags = options.ignoreCase === true ? RE2JS.CASE_INSENSITIVE : 0;
  try {
    // The pattern has to be complete by itself before it may stand in a group: `a)|(b` must not be made valid by it.
    let regex = RE2JS.compile(pattern, flags);
    const size = regex.programSize();
    if (size > MAX_PROGRAM) return { error: `the regular expression unfolds to ${size} steps; ${MAX_PROGRAM} are allowed` };
    if (options.anchored === true) regex = RE2JS.compile(`^(?:${pattern})`, flags);
    return (text) => regex.test(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error);
    return { error: `the regular expression does not compile: ${reason.slice(0, 200)}` };
  }
}
