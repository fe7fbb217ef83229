// Problems as people and programs read them: the same words from `check`, from the admin port and in the log. One Problem
// is one paragraph: where, what, what was done, and what to do about it.
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { originText } from '../proxy/table/origin.ts';
import type { Origin } from '../proxy/table/origin.ts';
import type { Effect, Problem } from './model/problem.ts';

export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** Undefined: the source has no files, or does not know. */
export type Locate = (origin: Origin) => Place | undefined;

const EFFECTS: { readonly [E in Effect]: string } = {
  ObjectRefused: 'the whole object is not served',
  RouteRefused: 'this route is not served',
  RouteDenied: 'requests that it routes are answered 503',
  HostDenied: 'every request to the host is answered 403',
  HostClosed: 'every request to the host is answered 503',
  ValueIgnored: 'the value is ignored',
  DefaultUsed: 'the default is used',
  None: 'nothing changes',
};

/** A Problem, and where it stands; undefined: not in a file. */
export interface PlacedProblem {
  readonly problem: Problem;
  readonly place: Place | undefined;
}

/** How long places are looked up without a break, in milliseconds: for some a file is parsed again. */
const SLICE_MS = 10;

/** Errors first, then by place. Other work goes on meanwhile, however many they are. */
export async function placeProblems(problems: readonly Problem[], locate: Locate): Promise<readonly PlacedProblem[]> {
  const placed: (PlacedProblem & { readonly key: string })[] = [];
  let since = performance.now();
  for (const problem of problems) {
    const place = locate(problem.origin);
    placed.push({ problem, place, key: sortKey(problem, place) });
    if (performance.now() - since < SLICE_MS) continue;
    await yieldToOthers();
    since = performance.now();
  }
  return placed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

function sortKey(problem: Problem, place: Place | undefined): string {
  const line = String(place?.line ?? 0).padStart(9, '0');
  return [problem.severity === 'error' ? '0' : '1', place?.file ?? '', line, originText(problem.origin), problem.reason, problem.message].join('\u0000');
}

/** `file:line: error BackendNotFound` and two or three indented lines. */
function problemText({ problem, place }: PlacedProblem): string {
  const where = place === undefined ? '' : `${place.file}:${place.line}: `;
  const lines = [
    `${where}${problem.severity} ${problem.reason}`,
    `  ${originText(problem.origin)}`,
    `  ${problem.message}`,
    `  effect: ${EFFECTS[problem.effect]}`,
  ];
  if (problem.hint !== undefined) lines.push(`  hint: ${problem.hint}`);
  return lines.map(visible).join('\n');
}

/** All of them and a summary line. */
export function problemsText(placed: readonly PlacedProblem[]): string {
  return [...placed.map((each) => `${problemText(each)}\n`), summary(placed.map(({ problem }) => problem)), ''].join('\n');
}

/** The same as plain data, for `--output json` and `/problems?output=json`. */
export function problemsJson(placed: readonly PlacedProblem[]): readonly object[] {
  return placed.map(({ problem, place }) => {
    const { kind, namespace, name, field } = problem.origin;
    const { severity, reason, message, hint, effect } = problem;
    return { ...place, object: originText({ kind, namespace, name }), field, severity, reason, message, hint, effect, done: EFFECTS[effect] };
  });
}

/** `2 errors, 1 warning`. */
export function summary(problems: readonly Problem[]): string {
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  const warnings = problems.length - errors;
  return `${errors} error${errors === 1 ? '' : 's'}, ${warnings} warning${warnings === 1 ? '' : 's'}`;
}

/** With escapes for control and formatting characters, which would let a manifest write to the terminal of whoever checks it. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
