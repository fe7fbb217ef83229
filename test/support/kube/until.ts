// Waiting for something to become true, with a limit and a reason: no test sleeps and hopes.
import { setTimeout as pause } from 'node:timers/promises';

/** Resolves with the time that it took, in milliseconds; rejects after `limitMs` with what was waited for and what there is instead. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, limitMs = 20_000, shown: () => unknown = () => ''): Promise<number> {
  const startedAt = performance.now();
  while (!(await condition())) {
    if (performance.now() - startedAt > limitMs) throw new Error(`after ${limitMs} ms still not so: ${what} ${JSON.stringify(shown()) ?? ''}`);
    await pause(5);
  }
  return performance.now() - startedAt;
}
