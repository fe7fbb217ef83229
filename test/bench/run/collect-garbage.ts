// Has Node processes collect their garbage at once, through their inspector, so that memory can be compared: without that, tens
// of megabytes of it come and go at V8's leisure. They must have been started with INSPECTABLE in their environment.
import { processTree } from './meters.ts';

/** Any free port, and from the start: Fairlead takes SIGUSR1 for something else. */
export const INSPECTABLE = { NODE_OPTIONS: '--inspect=127.0.0.1:0' };
const LIMIT_MS = 5000;

/** `stderr`: what all of the processes have written so far. Resolves when all of them have collected; rejects after some seconds. */
export async function collectGarbage(pid: number, stderr: () => string): Promise<void> {
  const tree = processTree(pid);
  const deadline = performance.now() + LIMIT_MS;
  let urls: readonly string[] = [];
  while (urls.length < tree.length) {
    if (performance.now() > deadline) throw new Error(`${urls.length} of ${tree.length} processes opened their inspector`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    urls = [...stderr().matchAll(/Debugger listening on (ws:\S+)/g)].map(([, url]) => url!);
  }
  await Promise.all(urls.map(collect));
}

function collect(url: string): Promise<void> {
  const socket = new WebSocket(url);
  return new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the inspector gave no answer')), LIMIT_MS);
    socket.addEventListener('open', () => socket.send(JSON.stringify({ id: 1, method: 'HeapProfiler.collectGarbage' })));
    socket.addEventListener('message', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.addEventListener('error', () => reject(new Error('the inspector could not be reached')));
  }).finally(() => socket.close());
}
