// One door for all list-watch loops of a client: a server that asks to be left alone (Retry-After) is left alone by all of
// them, not only by the one that happened to ask.

export class Gate {
  #closedUntil = 0;

  /** Closes it for this long from now; it never opens earlier than somebody else asked for. */
  close(ms: number): void {
    this.#closedUntil = Math.max(this.#closedUntil, performance.now() + ms);
  }

  /** Waits `ms` at least, and until the door is open. Rejects when `signal` is aborted. */
  async pass(ms: number, signal: AbortSignal): Promise<void> {
    await sleep(ms, signal);
    for (let left = this.#closedUntil - performance.now(); left > 0; left = this.#closedUntil - performance.now()) {
      // Not all at the same moment.
      await sleep(left * (1 + Math.random() / 20), signal);
    }
  }
}

/** Rejects with the signal's reason when it is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    if (ms <= 0) return resolve();
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal.addEventListener('abort', abort, { once: true });
  });
}
