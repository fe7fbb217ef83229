// Which word somebody meant who wrote another one: the nearest that is an edit or two away, in any case. An edit is a letter that is
// missing, one too many, a wrong one, or two that changed places. Of short words nearly all are two edits apart, so these are given less.

/** Undefined: no word of them is near. */
export function near(written: string, words: readonly string[]): string | undefined {
  const lower = written.toLowerCase();
  for (const edits of [0, 1, 2]) {
    const found = words.find((word) => edits <= word.length / 3 && Math.abs(word.length - lower.length) <= edits && within(lower, word.toLowerCase(), edits));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** To be put behind a sentence: `; did you mean tls?`, or nothing. */
export function didYouMean(meant: string | undefined): string {
  return meant === undefined ? '' : `; did you mean ${meant}?`;
}

function within(a: string, b: string, edits: number): boolean {
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  const [x, y] = [a.slice(same), b.slice(same)];
  if (x === y) return true;
  if (edits === 0) return false;
  const left = edits - 1;
  const swapped = x.length > 1 && x[0] === y[1] && x[1] === y[0] && within(x.slice(2), y.slice(2), left);
  return swapped || within(x.slice(1), y.slice(1), left) || within(x.slice(1), y, left) || within(x, y.slice(1), left);
}
