// What is kept of an object that came from the API: the decoded object, or why there is none, and the little besides that
// status and Events need. Everything else of it (managedFields above all) is gone when this has been made.
import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '../model/problem.ts';
import { decodeAs } from './decode.ts';
import type { Ingress, Kind, KubeObject } from './objects.ts';

/** An entry of `status.loadBalancer.ingress`. */
export interface IngressPoint {
  readonly ip?: string;
  readonly hostname?: string;
}

export interface Arrived {
  /** The last good version of this very object: while a newer one does not decode, this one stays in force. Undefined: there was none yet. */
  readonly object: KubeObject | undefined;
  /** Why the newest version is not in force. */
  readonly problems: readonly Problem[];
  /** Of an Ingress of which there is no good version. */
  readonly remains?: Ingress | undefined;
  readonly uid: string;
  /** Ingress: what its status says. */
  readonly points: readonly IngressPoint[];
}

const NO_POINTS: readonly IngressPoint[] = [];

/** Never throws. An object whose content is what it was before remains the very same value, so that nobody takes it for a change. */
export function readArrived(kind: Kind, raw: unknown, before: Arrived | undefined): Arrived {
  const decoded = decodeAs(kind, raw);
  const uid = textAt(raw, 'metadata', 'uid');
  const points = kind === 'Ingress' ? readPoints(raw) : NO_POINTS;
  // One that was made anew under the same name is another object.
  const known = before?.uid === uid ? before.object : undefined;
  if ('object' in decoded) return { object: known !== undefined && sameContent(known, decoded.object) ? known : decoded.object, problems: [], uid, points };
  if (known === undefined) return { object: undefined, problems: decoded.problems, remains: decoded.remains, uid, points };
  const hint = 'The last good version of this object stays in force until it is repaired.';
  return { object: known, problems: decoded.problems.map((problem): Problem => ({ ...problem, hint, effect: 'None' })), uid, points };
}

/** True: they differ at most in what every write changes. */
function sameContent(a: KubeObject, b: KubeObject): boolean {
  const { resourceVersion, generation } = a.metadata;
  return isDeepStrictEqual(a, { ...b, metadata: { ...b.metadata, resourceVersion, generation } });
}

function readPoints(raw: unknown): readonly IngressPoint[] {
  const list = at(raw, 'status', 'loadBalancer', 'ingress');
  if (!Array.isArray(list) || list.length === 0) return NO_POINTS;
  return list.map((point: unknown) => {
    const ip = textAt(point, 'ip');
    const hostname = textAt(point, 'hostname');
    return { ...(ip === '' ? {} : { ip }), ...(hostname === '' ? {} : { hostname }) };
  });
}

function textAt(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : '';
}

function at(value: unknown, ...path: readonly string[]): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = (current as Record<string, unknown>)[step];
  }
  return current;
}
