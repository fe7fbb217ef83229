// What the bench knows of a proxy: how to start it in front of one endpoint. Every peer is told the same: plain HTTP and TLS
// with the same certificate on free ports of 127.0.0.1, kept upstream connections, no access log, a number of workers.
import type { StartOptions } from '../run/process.ts';

export const PEER_NAMES = ['nginx', 'haproxy', 'caddy', 'http-proxy', 'fairlead'] as const;
export type PeerName = (typeof PEER_NAMES)[number];

/** Of what an upstream is asked: `upload` is HTTP as well, to an endpoint that takes bodies. */
export type Protocol = 'http' | 'upload' | 'websocket' | 'grpc';

export interface Setup {
  /** The peer's own, empty. */
  readonly folder: string;
  readonly upstream: { readonly port: number; readonly protocol: Protocol };
  readonly certificate: CertificateFiles;
  readonly workers: number;
  readonly cpus: StartOptions['cpus'];
  /** More routes than the one for everything else: so many hosts with so many paths each (`host-7.example.com/path-3`). */
  readonly table?: { readonly hosts: number; readonly paths: number };
  readonly env?: Readonly<Record<string, string>>;
}

export interface CertificateFiles {
  readonly chain: string;
  readonly key: string;
  /** Both in one file, as HAProxy wants them. */
  readonly both: string;
}

export interface Running {
  readonly pid: number;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Fairlead's alone. */
  readonly adminPort?: number;
  /** Has it give back what it does not need, where it can be told to. */
  collectGarbage?(): Promise<void>;
  stop(): Promise<void>;
}

export interface Peer {
  readonly name: PeerName;
  /** Of full load, until a runtime that compiles as it goes has compiled what is hot. */
  readonly warmUpSeconds: number;
  /** Resolves when it answers on both ports. */
  start(setup: Setup): Promise<Running>;
}
