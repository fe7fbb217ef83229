// Problems as people and programs read them: the same words from `check`, from the admin port and in the log. One Problem
// is one paragraph: where, what, what was done, and what to do about it.
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
  RouteDenied: 'this route answers 503',
  ValueIgnored: 'the value is ignored',
  DefaultUsed: 'the default is used',
  None: 'nothing changes',
};

/** Errors first, then by place. */
export function sortProblems(problems: readonly Problem[], locate: Locate): readonly Problem[] {
  const keyed = problems.map((problem) => ({ problem, key: sortKey(problem, locate(problem.origin)) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ problem }) => problem);
}

function sortKey(problem: Problem, place: Place | undefined): string {
  const line = String(place?.line ?? 0).padStart(9, '0');
  return [problem.severity === 'error' ? '0' : '1', place?.file ?? '', line, originText(problem.origin), problem.reason, problem.message].join('\u0000');
}

/** `file:line: error BackendNotFound` and two or three indented lines. */
export function problemText(problem: Problem, locate: Locate): string {
  const place = locate(problem.origin);
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
export function problemsText(problems: readonly Problem[], locate: Locate): string {
  return [...sortProblems(problems, locate).map((problem) => `${problemText(problem, locate)}\n`), summary(problems), ''].join('\n');
}

/** `2 errors, 1 warning`. */
export function summary(problems: readonly Problem[]): string {
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  const warnings = problems.length - errors;
  return `${errors} error${errors === 1 ? '' : 's'}, ${warnings} warning${warnings === 1 ? '' : 's'}`;
}

/** Plain data for `--output json` and `/problems`. */
export function problemJson(problem: Problem, locate: Locate): Readonly<Record<string, unknown>> {
  const { kind, namespace, name, field } = problem.origin;
  const { severity, reason, message, hint, effect } = problem;
  return { ...locate(problem.origin), object: originText({ kind, namespace, name }), field, severity, reason, message, hint, effect, done: EFFECTS[effect] };
}

/** With escapes for control and formatting characters, which would let a manifest write to the terminal of whoever checks it. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
