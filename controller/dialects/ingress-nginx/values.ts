// The value types of ingress-nginx's annotations, one parser each: what its own validators accept is accepted, and nothing
// else. A parser sees the whole value, so nothing can hide behind a line break; every pattern refuses CR and LF.

export type Parsed<T> = { readonly value: T } | { readonly wrong: string };
/** `wrong` completes the sentence "the value …". */
export type Parser<T> = (text: string) => Parsed<T>;

/** Go's strconv.ParseBool takes these for false, and no others. */
export const FALSE: readonly string[] = ['0', 'f', 'F', 'FALSE', 'false', 'False'];
const BOOLS: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((word) => [word, true] as const),
  ...FALSE.map((word) => [word, false] as const),
]);

/** Go's strconv.ParseBool; no blanks around the word. */
export const bool: Parser<boolean> = (text) => {
  const value = BOOLS.get(text);
  return value === undefined ? { wrong: 'must be true or false' } : { value };
};

/** Go's strconv.Atoi: a sign and digits, no unit. Numbers that JavaScript cannot hold exactly are refused. */
export const int: Parser<number> = (text) => {
  const value = Number(text);
  return /^[+-]?[0-9]+$/.test(text) && Number.isSafeInteger(value) ? { value } : { wrong: 'must be a whole number without unit' };
};

const UNITS: ReadonlyMap<string, number> = new Map([['', 1], ['b', 1], ['k', 1024], ['m', 1024 ** 2], ['g', 1024 ** 3]]);

/** In bytes. Digits and at most one of b, k, m, g (powers of 1024), any case. */
export const size: Parser<number> = (text) => {
  const match = /^([0-9]+)([bkmg]?)$/i.exec(text);
  const value = match === null ? Number.NaN : Number(match[1]) * UNITS.get(match[2]!.toLowerCase())!;
  return Number.isSafeInteger(value) ? { value } : { wrong: 'must be a size such as 512, 8k, 20m or 1g' };
};

export const basic = pattern(/^[A-Za-z0-9\-._~/:]*$/, 'letters, digits and - . _ ~ / :');
export const url = pattern(/^[A-Za-z0-9\-._~/:,?&=]*$/, 'letters, digits and - . _ ~ / : , ? & =');
export const variables = pattern(/^[A-Za-z0-9\-_${}]*$/, 'letters, digits and - _ $ { }');
/** Trimmed first. */
export const regexCharacters = trimmed(pattern(/^[A-Za-z0-9\-._~/:^$[\](){}*+?&=\\|]*$/, 'letters, digits and - . _ ~ / : ^ $ [ ] ( ) { } * + ? & = \\ |'));

export const any: Parser<string> = (text) => ({ value: text });

/** One of the words as written, blanks around it tolerated. */
export function oneOf<W extends string>(...words: readonly W[]): Parser<W> {
  return trimmed((text): Parsed<W> => {
    const value = words.find((word) => word === text);
    return value === undefined ? { wrong: `must be one of ${words.join(', ')}` } : { value };
  });
}

/** One of the words in any case; comes out as spelt in the list. */
export function oneOfIgnoringCase<W extends string>(...words: readonly W[]): Parser<W> {
  return trimmed((text): Parsed<W> => {
    const value = words.find((word) => word.toLowerCase() === text.toLowerCase());
    return value === undefined ? { wrong: `must be one of ${words.join(', ')}` } : { value };
  });
}

/** The suffix `·ns`: spaces anywhere are deleted before the check. */
export function withoutSpaces<T>(parse: Parser<T>): Parser<T> {
  return (text) => parse(text.replaceAll(' ', ''));
}

function trimmed<T>(parse: Parser<T>): Parser<T> {
  return (text) => parse(text.trim());
}

function pattern(allowed: RegExp, words: string): Parser<string> {
  return (text) => (allowed.test(text) ? { value: text } : { wrong: `may hold only ${words}` });
}
