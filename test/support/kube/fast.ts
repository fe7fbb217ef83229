// The times of the list-watch loop, shortened for tests: what takes minutes in a cluster takes a second here. `SCALE` is how
// much shorter pauses are; the length of a watch is in whole seconds on the wire and cannot be less than one.
import { TIMINGS } from '../../../controller/kube/pace.ts';
import type { Timings } from '../../../controller/kube/pace.ts';

export const SCALE = 10;

export const FAST: Timings = {
  ...TIMINGS,
  backoffMs: TIMINGS.backoffMs / SCALE,
  maxBackoffMs: TIMINGS.maxBackoffMs / SCALE / 10,
  watchMs: [1_000, 2_000],
  silenceMs: 1_000,
  answerMs: 2_000,
  shortWatchMs: 500,
  relistGapMs: TIMINGS.relistGapMs / SCALE,
  auditMs: TIMINGS.auditMs / SCALE,
  confirmMs: TIMINGS.confirmMs / SCALE,
  deniedMs: TIMINGS.deniedMs / SCALE / 10,
};
