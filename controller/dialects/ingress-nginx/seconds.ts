// Times in whole seconds, as the annotations of ingress-nginx give them, in milliseconds. What no timer can hold is as
// long as one can; zero and less is no time that anything could take.
import { int } from './values.ts';
import type { Parser } from './values.ts';

/** Longest delay that a timer of Node keeps. */
const MAX_MS = 2 ** 31 - 1;

/** From one second. */
export const seconds: Parser<number> = (text) => {
  const parsed = int(text);
  if ('wrong' in parsed) return { wrong: `${parsed.wrong}, in seconds` };
  return parsed.value > 0 ? { value: Math.min(parsed.value * 1000, MAX_MS) } : { wrong: 'must be at least one second' };
};

/** From zero, which means no limit. */
export const secondsOrNone: Parser<number> = (text) => {
  const parsed = int(text);
  if ('wrong' in parsed || parsed.value > 0) return seconds(text);
  return parsed.value === 0 ? { value: 0 } : { wrong: 'must be 0, for no limit, or more' };
};
