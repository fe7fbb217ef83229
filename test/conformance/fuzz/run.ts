// Runs mutated streams through a real listener and endpoint, many clients at a time, beside an honest one, and judges each.
import { startStage } from '../support/stage.ts';
import type { Stage } from '../support/stage.ts';
import { literal } from '../support/stream.ts';
import type { Stream } from '../support/stream.ts';
import { minimise } from './minimise.ts';
import { fuzzStream } from './streams.ts';

export interface FuzzOptions {
  readonly seed: number;
  /** Ends after so many streams or so much time, whatever comes first. */
  readonly streams: number;
  readonly ms: number;
  /** Default true: small bodies are held until they are complete. */
  readonly requestBuffering?: boolean;
  /** The first stream's number. */
  readonly from?: number;
  /** Told now and then. */
  readonly progress?: (report: FuzzReport) => void;
}

export interface FuzzReport {
  readonly streams: number;
  readonly ms: number;
  /** Requests that were forwarded, and streams that ended with a refusal: a fuzzer that only ever sees one of the two tests nothing. */
  readonly forwarded: number;
  readonly refused: number;
  /** By number and minimised. */
  readonly violations: readonly string[];
}

/** Clients at a time. Most of them wait for a connection that has nothing more to say. */
const LANES = 96;
const HONEST_EVERY = 50;
/** Enough to see what is wrong. */
const MAX_VIOLATIONS = 5;

/** One violation, before it is minimised. */
interface Found {
  readonly index: number;
  readonly stream: Stream;
  readonly wrong: readonly string[];
}

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const stage = await startStage(options.requestBuffering);
  const began = performance.now();
  const found: Found[] = [];
  const unfair: string[] = [];
  const report = { streams: 0, ms: 0, forwarded: 0, refused: 0 };
  let index = options.from ?? 0;
  const end = index + options.streams;
  let told = began;
  const lane = async (number: number): Promise<void> => {
    while (index < end && performance.now() - began < options.ms && found.length + unfair.length < MAX_VIOLATIONS) {
      const own = index++;
      const { stream, last } = fuzzStream(options.seed, own);
      const { statuses, forwarded, wrong } = await stage.perform(number, stream, last);
      report.streams++;
      report.forwarded += forwarded.length;
      if (statuses.some((status) => status >= 400)) report.refused++;
      if (wrong.length > 0) found.push({ index: own, stream, wrong });
      if (own % HONEST_EVERY === 0) await stage.honest().catch((error: unknown) => unfair.push(`near stream ${own} of seed ${options.seed}: ${String(error)}`));
      const now = performance.now();
      report.ms = now - began;
      if (now - told > 10_000) {
        told = now;
        options.progress?.({ ...report, violations: found.map(({ wrong: what }) => what.join('; ')) });
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
  // One after the other, so that nothing else disturbs.
  const violations = [...unfair];
  for (const each of found) violations.push(await describe(stage, options.seed, each));
  await stage.close();
  return { ...report, violations };
}

async function describe(stage: Stage, seed: number, { index, stream, wrong }: Found): Promise<string> {
  // The same kind of violation: the words before the particulars.
  const kind = (what: string): string => what.replaceAll(/\d+/g, '#').slice(0, 30);
  const kinds = new Set(wrong.map(kind));
  let last: readonly string[] = [];
  const small = await minimise(stream, async (candidate) => {
    const verdict = await stage.perform(0, candidate);
    const shown = verdict.wrong.some((what) => kinds.has(kind(what)));
    if (shown) last = verdict.wrong;
    return shown;
  });
  const whole = `stream ${index} of seed ${seed}:\n  ${wrong.join('\n  ')}\n  ${printed(stream)}`;
  return last.length === 0 ? `${whole}\n  not seen again when it was alone` : `${whole}\n  as small as it shows it: ${printed(small)}\n  ${last.join('\n  ')}`;
}

function printed({ bytes, cuts }: Stream): string {
  return `${literal(bytes)}${cuts.length === 0 ? '' : ` cut at ${cuts.join()}`}`;
}
