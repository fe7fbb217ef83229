// A box leaves nothing behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { labTest } from './guard.ts';

const BOX = fileURLToPath(new URL('box.ts', import.meta.url));
/** Says in which namespace it lives, starts a program there and another one that left its session, and stays. */
const CONTENT = 'readlink /proc/self/ns/net; ip netns add left; nsenter --net=/run/netns/left sleep 1000 & setsid sleep 1000 & wait';

/** Processes in a network namespace. */
function processesIn(namespace: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/ns/net`) === namespace;
    } catch {
      return false;
    }
  });
}

async function endBy(t: ExecutionContext, signal: NodeJS.Signals): Promise<void> {
  const child = spawn(process.execPath, [BOX, 'sh', '-c', CONTENT], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  const namespace = line.trim();
  t.true(processesIn(namespace).length >= 2);
  child.kill(signal);
  const end = performance.now() + 5000;
  while (processesIn(namespace).length > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
  t.deepEqual(processesIn(namespace), []);
}

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  labTest(`a box that is ended by ${signal} takes everything in it along`, (t) => endBy(t, signal));
}
