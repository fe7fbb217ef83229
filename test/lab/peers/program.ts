// What the lab's proxies from elsewhere have in common.
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Host } from '../host.ts';
import { tool } from '../tools.ts';

export interface Target {
  readonly address: string;
  readonly port: number;
}

export interface PeerOptions {
  readonly port: number;
  readonly upstream: Target;
  readonly tls?: { readonly port: number; readonly chainPem: string; readonly keyPem: string };
}

const START_MS = 5000;

/** A folder for a program's files. It is in the box's own /run, which goes with the box. */
export function workFolder(host: Host, program: string): string {
  const folder = join('/run/lab', basename(host.path), program);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Resolves when something listens on the port in the host's namespace. No connection is made, so that nothing gets warm. */
export async function listening(host: Host, { port }: { readonly port: number }): Promise<void> {
  const end = performance.now() + START_MS;
  while (host.must(tool('ss'), ['-Hltn', `sport = :${port}`]) === '') {
    if (performance.now() > end) throw new Error(`${host.name}: nothing listens on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
