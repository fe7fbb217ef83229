// Many WebSockets and gRPC streams in both directions that stay open and carry numbered messages, each in order: what a user
// with a chat window sees of everything that goes on behind the proxy.
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Metadata, credentials } from '@grpc/grpc-js';
import type { ExecutionContext } from 'ava';
import WebSocket from 'ws';
import { GRPC_HOST } from './mixed-load.ts';

export interface OpenStreamsOptions {
  readonly port: number;
  readonly host?: string;
  readonly sockets: number;
  readonly chats: number;
  /** Messages a second, over all streams. */
  readonly rate: number;
}

export interface StreamsReport {
  readonly messages: number;
  /** Streams that ended by themselves. */
  readonly closed: number;
  /** Messages that came twice, out of order, or never. */
  readonly wrong: number;
}

const PER_CHANNEL = 50;
const asIs = (bytes: Buffer): Buffer => bytes;

export class OpenStreams {
  readonly #send: ((text: string) => void)[] = [];
  readonly #next: number[] = [];
  readonly #seen: number[] = [];
  readonly #ends: (() => void)[] = [];
  #closed = 0;
  #wrong = 0;
  #messages = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;

  /** They end with the test at the latest. */
  static async open(t: ExecutionContext, options: OpenStreamsOptions): Promise<OpenStreams> {
    const streams = new OpenStreams();
    t.teardown(() => streams.#end());
    for (let nth = 0; nth < options.sockets; nth++) await streams.#openSocket(options);
    for (let nth = 0; nth < options.chats; nth += PER_CHANNEL) streams.#openChats(options.port, Math.min(PER_CHANNEL, options.chats - nth));
    const startedAt = performance.now();
    streams.#timer = setInterval(() => {
      const due = ((performance.now() - startedAt) / 1000) * options.rate;
      for (; streams.#messages < due; streams.#messages++) {
        const which = streams.#messages % streams.#send.length;
        streams.#send[which]?.(String(streams.#next[which]!++));
      }
    }, 10);
    return streams;
  }

  /** Waits until every message is back, then closes everything. */
  async stop(): Promise<StreamsReport> {
    clearInterval(this.#timer);
    const missing = (): number => this.#next.reduce((sum, next, which) => sum + next - this.#seen[which]!, 0);
    for (const end = performance.now() + 10_000; missing() > 0 && performance.now() < end; await pause(10));
    const report = { messages: this.#messages, closed: this.#closed, wrong: this.#wrong + missing() };
    this.#end();
    return report;
  }

  #end(): void {
    this.#stopping = true;
    clearInterval(this.#timer);
    for (const end of this.#ends) end();
  }

  #add(send: (text: string) => void, end: () => void): (text: string) => void {
    const which = this.#send.push(send) - 1;
    this.#next.push(0);
    this.#seen.push(0);
    this.#ends.push(end);
    return (text) => {
      if (Number(text) !== this.#seen[which]!) this.#wrong++;
      this.#seen[which] = Number(text) + 1;
    };
  }

  #gone(): void {
    if (!this.#stopping) this.#closed++;
  }

  async #openSocket({ port, host = 'shop.example.com' }: OpenStreamsOptions): Promise<void> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/live`, { headers: { host } });
    const take = this.#add((text) => socket.readyState === WebSocket.OPEN && socket.send(text), () => socket.terminate());
    socket.on('message', (data) => take(String(data)));
    socket.on('close', () => this.#gone());
    await once(socket, 'open');
    socket.on('error', () => undefined);
  }

  /** On one connection. */
  #openChats(port: number, count: number): void {
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.default_authority': GRPC_HOST, 'grpc.enable_retries': 0, 'grpc.use_local_subchannel_pool': 1 });
    this.#ends.push(() => client.close());
    for (let nth = 0; nth < count; nth++) {
      const call = client.makeBidiStreamRequest('/test.Echo/Chat', asIs, asIs, new Metadata());
      const take = this.#add((text) => void call.write(Buffer.from(text)), () => call.cancel());
      call.on('data', (message: Buffer) => take(String(message)));
      call.on('error', () => undefined);
      call.on('status', () => this.#gone());
    }
  }
}
