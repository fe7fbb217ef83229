// A TCP client that sends exactly the bytes it is given and keeps all that comes back.
import net from 'node:net';
import { once } from 'node:events';
import { parseResponses } from './strict-http1.ts';
import type { ParsedMessage } from './strict-http1.ts';

export class RawClient {
  readonly socket: net.Socket;
  received = Buffer.alloc(0);
  /** The proxy closed its sending side, or reset. */
  closed = false;
  #wake: (() => void)[] = [];

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.#notify();
    });
    socket.on('end', () => this.#gone());
    socket.on('close', () => this.#gone());
    socket.on('error', () => undefined);
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<RawClient> {
    const socket = net.connect({ port, host, allowHalfOpen: true, noDelay: true });
    const client = new RawClient(socket);
    await once(socket, 'connect');
    return client;
  }

  write(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Waits until `count` final responses are here; rejects after `ms`. `methods` of the requests, for HEAD. */
  async responses(count: number, methods: readonly string[] = [], ms = 5000): Promise<ParsedMessage[]> {
    const parsed = await this.until(() => {
      const { responses } = parseResponses(this.received, methods, this.closed);
      return responses.length >= count ? responses : undefined;
    }, ms);
    return parsed;
  }

  /** Waits for the connection's end; returns all bytes. */
  async end(ms = 5000): Promise<Buffer> {
    await this.until(() => (this.closed ? true : undefined), ms);
    return this.received;
  }

  async until<T>(look: () => T | undefined, ms = 5000): Promise<T> {
    const deadline = performance.now() + ms;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`nothing after ${ms} ms; received ${JSON.stringify(this.received.toString('latin1').slice(0, 500))}${this.closed ? ', closed' : ''}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 1000));
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  destroy(): void {
    this.socket.destroy();
  }

  #gone(): void {
    this.closed = true;
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}

/** Sends bytes on a fresh connection and waits for its answer (and end, if the proxy closes). */
export async function exchangeRaw(port: number, bytes: string | Buffer, methods: readonly string[] = [], ms = 5000): Promise<{ message: ParsedMessage; client: RawClient }> {
  const client = await RawClient.connect(port);
  client.write(bytes);
  const [message] = await client.responses(1, methods, ms);
  return { message: message as ParsedMessage, client };
}

/** Status of a parsed response. */
export function statusOf(message: ParsedMessage): number {
  return Number(message.startLine.split(' ')[1]);
}
