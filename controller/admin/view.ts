// What the admin port shows, as its owner gives it: a few questions, answered at the moment when somebody asks.
import type { Snapshot } from '../../proxy/table/snapshot.ts';
import type { Problem } from '../model/problem.ts';
import type { Locate } from '../report.ts';

export interface AdminView {
  /** Undefined: traffic is served; else why not. */
  notReady(): string | undefined;
  /** The published table. It is shown through proxy/table/print.ts alone, which knows what is secret. */
  snapshot(): Snapshot;
  problems(): readonly Problem[];
  readonly locate: Locate;
  /** The Prometheus text format. */
  metrics(): Promise<string>;
}
