// All that a worker needs at one version, and what changed between two of them. Five keyed sections of plain data.
// Every key holds a separator or is a digest, so that no name that a user chooses can be `__proto__`.
import type { Certificate } from './certificate.ts';
import type { Cluster, Endpoint } from './cluster.ts';
import type { Listener } from './listener.ts';
import type { VirtualHost } from './route.ts';

type Keyed<T> = Readonly<Record<string, T>>;

export interface Sections {
  /** Key: `listener/<name>`. */
  readonly listeners: Keyed<Listener>;
  /** Key: `<listener names joined by +>/<hostname>`, e.g. `http+https/shop.example.com`. */
  readonly virtualHosts: Keyed<VirtualHost>;
  /** Key: `Cluster.name`, e.g. `shop/web:80`. */
  readonly clusters: Keyed<Cluster>;
  /** Key: as clusters. Order does not matter; it is sorted by address and port. */
  readonly endpoints: Keyed<readonly Endpoint[]>;
  /** Key: `Certificate.name`. */
  readonly certificates: Keyed<Certificate>;
}

export type SectionName = keyof Sections;
export const SECTION_NAMES: readonly SectionName[] = ['listeners', 'virtualHosts', 'clusters', 'endpoints', 'certificates'];

export interface Snapshot extends Sections {
  /** Grows by one with every published change; 0 is the empty table. */
  readonly version: number;
}

/** What turns the snapshot `base` into the snapshot `version`. */
export interface Delta {
  readonly base: number;
  readonly version: number;
  readonly set: { readonly [S in SectionName]?: Readonly<Record<string, Sections[S][string]>> };
  readonly remove: { readonly [S in SectionName]?: readonly string[] };
}

export const EMPTY_SNAPSHOT: Snapshot = { version: 0, listeners: {}, virtualHosts: {}, clusters: {}, endpoints: {}, certificates: {} };
