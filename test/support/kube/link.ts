// A TCP connection in between that can be cut: what happens to a client whose API server is restarted, unreachable or frozen.
// It knows nothing of what it carries, so it works in front of any server.
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { cut } from '../cut.ts';

export class Link {
  readonly #target: number;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #server: Server | undefined;
  #port = 0;
  #frozen = false;
  /** Connections accepted since the start. */
  accepted = 0;

  /** `target`: a port of 127.0.0.1. */
  constructor(target: number) {
    this.#target = target;
  }

  get port(): number {
    return this.#port;
  }

  /** Accepts (again), always on the same port, and carries everything. */
  async open(): Promise<void> {
    this.#frozen = false;
    for (const [a, b] of this.#pairs) {
      a.resume();
      b.resume();
    }
    if (this.#server !== undefined) return;
    const server = createServer((near) => this.#carry(near));
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(this.#port, '127.0.0.1', resolve));
    const address = server.address();
    if (address !== null && typeof address === 'object') this.#port = address.port;
    this.#server = server;
  }

  /** Closes the port and resets everything: connections are refused until `open`. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.reset();
    await closed;
  }

  /** Connections are accepted and stay open, but no byte goes through any more in either direction, until `open`. */
  freeze(): void {
    this.#frozen = true;
    for (const [a, b] of this.#pairs) {
      a.pause();
      b.pause();
    }
  }

  /** Resets what is open; new connections work. */
  reset(): void {
    for (const [a, b] of this.#pairs) {
      cut(a);
      cut(b);
    }
  }

  #carry(near: Socket): void {
    this.accepted++;
    const far = connect(this.#target, '127.0.0.1');
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    const close = (): void => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const [from, to] of [[near, far], [far, near]] as const) {
      from.on('error', close).on('close', close).on('end', () => to.end());
      from.on('data', (chunk) => {
        if (!to.write(chunk)) from.pause();
      });
      to.on('drain', () => {
        if (!this.#frozen) from.resume();
      });
    }
    if (this.#frozen) {
      near.pause();
      far.pause();
    }
  }
}
