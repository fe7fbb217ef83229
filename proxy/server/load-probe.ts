// How loaded this machine's part is: memory by the container's own accounts (cgroup v2, else v1), which is what the kernel
// kills by, else by the process's; and how late the event loop is.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { residentMemory } from '../observe/own-process.ts';
import type { WorkerMemory } from '../table/messages.ts';
import type { LoadProbe, Relief } from './overload.ts';

/** Where a container sees its own group, below `root`. https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files */
interface Accounts {
  readonly limit: string;
  readonly used: string;
  readonly stat: string;
  /** The file cache that the kernel gives up first: not what a process needs (as the kubelet counts it). */
  readonly cache: RegExp;
}

const V2: Accounts = { limit: 'memory.max', used: 'memory.current', stat: 'memory.stat', cache: /^inactive_file (\d+)$/m };
const V1: Accounts = {
  limit: 'memory/memory.limit_in_bytes',
  used: 'memory/memory.usage_in_bytes',
  stat: 'memory/memory.stat',
  cache: /^total_inactive_file (\d+)$/m,
};
/** Larger ones mean that there is none (cgroup v1). */
const LARGEST_LIMIT = 2 ** 50;

/** Where there is neither a limit nor a container, memory counts as free. */
export function systemLoad({ limitBytes, processes }: WorkerMemory, root = '/sys/fs/cgroup'): LoadProbe {
  // Without a limit they may be those of the whole machine.
  const accounts = [V2, V1].find((each) => limitOf(each, root) > 0);
  const limit = limitBytes > 0 ? limitBytes : accounts === undefined ? 0 : limitOf(accounts, root);
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  let lookedAt = performance.now();
  return () => {
    const now = performance.now();
    // What comes first behind a reset is not recorded: a loop that has come round but once since the last look has nothing to say, and was late all the time.
    const loopDelayMs = delay.count === 0 ? now - lookedAt : delay.percentile(99) / 1e6;
    delay.reset();
    lookedAt = now;
    if (limit === 0) return { memory: 0, loopDelayMs };
    const used = accounts === undefined ? residentMemory() * processes : usedOf(accounts, root);
    return { memory: used / limit, loopDelayMs };
  };
}

/** A full collection that also lets go of what V8 keeps for later; nothing where Node runs without --expose-gc. */
export const collectGarbage: Relief = () => {
  (globalThis.gc as Collector | undefined)?.({ type: 'major', flavor: 'last-resort' });
};

type Collector = (options: { readonly type: 'major'; readonly flavor: 'last-resort' }) => void;

function limitOf(accounts: Accounts, root: string): number {
  const limit = numberIn(join(root, accounts.limit)) ?? 0;
  return limit < LARGEST_LIMIT ? limit : 0;
}

function usedOf({ used, stat, cache }: Accounts, root: string): number {
  return Math.max(0, (numberIn(join(root, used)) ?? 0) - Number(cache.exec(textIn(join(root, stat)))?.[1] ?? 0));
}

/** Undefined: no such file, or no number in it (`max`). */
function numberIn(file: string): number | undefined {
  const text = textIn(file).trim();
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function textIn(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
