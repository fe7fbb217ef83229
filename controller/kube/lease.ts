// The rules of leader election on a Lease, as pure functions. Clocks of different machines are never compared: what counts is
// for how long, by one's own monotonic clock, a Lease has not changed. https://kubernetes.io/docs/concepts/architecture/leases/

/** What a Lease says, as far as it matters here. */
export interface Lease {
  readonly holder: string;
  readonly durationMs: number;
  readonly transitions: number;
  /** Changes with every renewal. */
  readonly version: string;
}

/** A Lease as one has seen it, and since when it has been like that. Milliseconds of the own clock. */
export interface Sighting {
  readonly lease: Lease;
  readonly since: number;
}

/** Reads a Lease object, which may be anything. Undefined: it is none. */
export function readLease(object: unknown): Lease | undefined {
  const { metadata, spec } = fields(object);
  const { resourceVersion } = fields(metadata);
  const { holderIdentity, leaseDurationSeconds, leaseTransitions } = fields(spec);
  if (typeof resourceVersion !== 'string') return undefined;
  return {
    holder: typeof holderIdentity === 'string' ? holderIdentity : '',
    durationMs: typeof leaseDurationSeconds === 'number' ? leaseDurationSeconds * 1000 : 0,
    transitions: typeof leaseTransitions === 'number' ? leaseTransitions : 0,
    version: resourceVersion,
  };
}

/** The sighting after looking again. */
export function look(before: Sighting | undefined, lease: Lease, now: number): Sighting {
  return before !== undefined && before.lease.version === lease.version && before.lease.holder === lease.holder ? before : { lease, since: now };
}

/** True: nobody holds it, it is one's own, or its holder has not renewed it for as long as it is good for. */
export function mayTake({ lease, since }: Sighting, me: string, now: number): boolean {
  return lease.holder === '' || lease.holder === me || now - since > lease.durationMs;
}

/** The spec to write. `time`: RFC 3339 with microseconds, for people and tools; nobody here reads it. */
export function leaseSpec(before: Lease | undefined, holder: string, ttlMs: number, time: string, acquired: string): object {
  const changes = before !== undefined && before.holder !== holder && holder !== '';
  return {
    holderIdentity: holder,
    // Given back, it is up for taking in a second.
    leaseDurationSeconds: holder === '' ? 1 : Math.max(1, Math.round(ttlMs / 1000)),
    leaseTransitions: (before?.transitions ?? 0) + (changes ? 1 : 0),
    renewTime: time,
    acquireTime: acquired,
  };
}

/** RFC 3339 with the six decimals that the API asks for. */
export function microTime(date: Date): string {
  return `${date.toISOString().slice(0, -1)}000Z`;
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
