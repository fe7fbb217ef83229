// A Problem: one thing wrong or lost in what the user wrote, with its origin. The same value is printed by `check`, shown
// on the admin port, and sent as an Event, so that every place says the same words.
import type { Origin } from '../../proxy/table/origin.ts';

export interface Problem {
  /** `error`: something the user asked for is not served; `warning`: it is, but not as written. */
  readonly severity: 'error' | 'warning';
  /** A stable word; Gateway API condition reasons where they fit: `BackendNotFound`, `InvalidCertificateRef`, `RefNotPermitted`. */
  readonly reason: string;
  readonly origin: Origin;
  /** One sentence for people; includes what was seen and what is allowed. Never holds a key, and nothing longer than 200 characters of what was seen. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
  readonly effect: Effect;
  /** Of its object's hostnames the one that is meant, where it is not all of them. */
  readonly hostname?: string;
}

/** What was done: the whole object, rule or route is not served; its routes answer 503; all routes of the host answer 403, or 503, whoever they belong to; the value or default is used; nothing changed. */
export type Effect = 'ObjectRefused' | 'RouteRefused' | 'RouteDenied' | 'HostDenied' | 'HostClosed' | 'ValueIgnored' | 'DefaultUsed' | 'None';
