// Steady requests to Fairlead for as long as a test lasts, over a few connections that are kept. Every answer but 200, and
// every request without one, is a failure and is kept with its time.
import type { ExecutionContext } from 'ava';
import { setTimeout as pause } from 'node:timers/promises';
import { Pool } from 'undici';

export interface Load {
  readonly requests: number;
  readonly failures: readonly string[];
  /** Ends it and returns what failed. */
  stop(): Promise<readonly string[]>;
}

/** `hosts` are asked in turn, about 200 requests a second in all. */
export function startLoad(t: ExecutionContext, port: number, hosts: readonly string[]): Load {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 4, pipelining: 1 });
  const startedAt = performance.now();
  const failures: string[] = [];
  let requests = 0;
  let running = true;
  const one = async (): Promise<void> => {
    while (running) {
      const host = hosts[requests++ % hosts.length]!;
      try {
        const { statusCode, body } = await pool.request({ method: 'GET', path: '/load', headers: { host } });
        const text = await body.text();
        if (statusCode !== 200) failures.push(`${Math.round(performance.now() - startedAt)} ms: ${host} ${statusCode} ${text.slice(0, 100)}`);
      } catch (error) {
        failures.push(`${Math.round(performance.now() - startedAt)} ms: ${host} ${String(error)}`);
      }
      await pause(20);
    }
  };
  const done = Promise.all(Array.from({ length: 4 }, one));
  const stop = async (): Promise<readonly string[]> => {
    running = false;
    await done;
    await pool.close();
    return failures;
  };
  t.teardown(async () => {
    if (running) await stop();
  });
  return { get requests() { return requests; }, failures, stop };
}
