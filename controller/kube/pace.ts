// When to try again, and with what: the rules of the list-watch loop as pure functions of what just happened. Nothing here
// waits; the reflector does.

/** Times in milliseconds. Tests run with smaller ones. */
export interface Timings {
  /** First pause after a failure; it doubles with every further one… */
  readonly backoffMs: number;
  /** …up to this. */
  readonly maxBackoffMs: number;
  /** Longest pause that a server may ask for. */
  readonly maxRetryAfterMs: number;
  /** Server-side length of a watch: a random time between the two. */
  readonly watchMs: readonly [number, number];
  /** How much longer than its length a watch may be silent. A server bookmarks a watch shortly before it ends it, so silence beyond that is a dead connection. */
  readonly silenceMs: number;
  /** For the first byte of an answer. */
  readonly answerMs: number;
  /** A watch that ends sooner counts as a failure, so that a server which ends all at once is not asked all the time; if it said nothing, only a list tells what there is. */
  readonly shortWatchMs: number;
  /** Between two lists of one collection that the server asked for (410) or a broken watch made necessary. */
  readonly relistGapMs: number;
  /** A list without need, to find what no event told; also where every watch is cut. */
  readonly auditMs: number;
  /** Before the second list that has to confirm a large loss. */
  readonly confirmMs: number;
  /** Before the next attempt at what is forbidden or does not exist. */
  readonly deniedMs: number;
}

export const TIMINGS: Timings = {
  backoffMs: 250,
  maxBackoffMs: 30_000,
  maxRetryAfterMs: 600_000,
  // Together with the silence allowed: a connection that is dead without saying so is found within a minute.
  watchMs: [35_000, 50_000],
  silenceMs: 8_000,
  answerMs: 10_000,
  shortWatchMs: 5_000,
  relistGapMs: 5_000,
  auditMs: 600_000,
  confirmMs: 2_000,
  deniedMs: 60_000,
};

/** How a list, a probe or a watch ended. */
export type Ending =
  /** A list or probe that did what it should. */
  | { readonly type: 'done' }
  /** The watch ended as agreed. `heard`: at least one event or bookmark came. */
  | { readonly type: 'ended'; readonly livedMs: number; readonly heard: boolean }
  /** The version to go on from is no longer known to the server (410). */
  | { readonly type: 'expired' }
  /** Something unreadable came: what it was is lost. */
  | { readonly type: 'garbled' }
  /** The server's version is older than ours: it lost its past. */
  | { readonly type: 'reverted' }
  /** Reset, refused, silent, 5xx, 429, 401… `hadLivedMs`: how long the watch had worked before. */
  | { readonly type: 'failed'; readonly retryAfterMs: number | undefined; readonly hadLivedMs: number }
  /** 403, or 404 for the whole collection. */
  | { readonly type: 'denied' };

export interface Progress {
  /** Endings in a row that were no success. */
  readonly failures: number;
  /** Since the last complete list; Infinity: there was none. */
  readonly sinceListMs: number;
  /** True: the connection was lost since then. A server that was restored from a backup meanwhile tells nothing of what it forgot. */
  readonly suspect: boolean;
}

export interface Plan {
  /** `probe`: ask for the server's version before the watch goes on, because it may have lost its past meanwhile. */
  readonly next: 'list' | 'probe' | 'watch';
  readonly waitMs: number;
  readonly failures: number;
}

/** What comes next. `random`: from 0 up to 1. */
export function plan(ending: Ending, { failures, sinceListMs, suspect }: Progress, timings: Timings, random: number): Plan {
  const due = sinceListMs >= timings.auditMs;
  const resume = due ? 'list' : 'probe';
  const backoff = (): number => backoffMs(failures, timings, random);
  switch (ending.type) {
    case 'done':
      return { next: 'watch', waitMs: 0, failures };
    case 'ended': {
      const short = ending.livedMs < timings.shortWatchMs;
      const next = suspect || due || (short && !ending.heard) ? 'list' : short || ending.heard ? 'watch' : 'probe';
      if (!short) return { next, waitMs: 0, failures: 0 };
      return { next, waitMs: Math.max(backoff(), next === 'list' ? timings.relistGapMs - sinceListMs : 0), failures: failures + 1 };
    }
    case 'expired':
    case 'garbled':
    case 'reverted':
      // Whatever is wrong with the server, it is not asked for whole lists all the time.
      return { next: 'list', waitMs: Math.max(0, timings.relistGapMs - sinceListMs) * (1 + random / 4), failures: failures + 1 };
    case 'failed': {
      const before = ending.hadLivedMs >= timings.shortWatchMs ? 0 : failures;
      const asked = Math.min(ending.retryAfterMs ?? 0, timings.maxRetryAfterMs);
      return { next: resume, waitMs: Math.max(backoffMs(before, timings, random), asked * (1 + random / 10)), failures: before + 1 };
    }
    case 'denied':
      return { next: 'list', waitMs: timings.deniedMs * (1 - random / 10), failures };
  }
}

/** Half of the pause is fixed, half is random, so that many clients do not return together. */
export function backoffMs(failures: number, { backoffMs: first, maxBackoffMs }: Timings, random: number): number {
  const full = Math.min(maxBackoffMs, first * 2 ** Math.min(failures, 30));
  return full / 2 + (full / 2) * random;
}

/** True: so much is gone that one list is not enough to believe it. An answer that was cut short looks the same. */
export function needsConfirmation(known: number, missing: number): boolean {
  return missing * 2 > known;
}
