// What is said of an object that somebody names and that cannot be had: there is none, or there is one and it was refused.
import type { Refused } from '../kube/objects.ts';
import { seen } from './seen.ts';

/** `key`: `namespace/name`. */
export function missingText(kind: 'Secret' | 'Service', key: string, refused: Refused | undefined): string {
  return refused === undefined ? `there is no ${kind} ${seen(key)}` : `${kind} ${seen(key)} is refused (${refused.refused})`;
}
