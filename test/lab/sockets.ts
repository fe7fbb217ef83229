// The test process' side of helper.ts: asks the namespace's helper for sockets.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Socket as UdpSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Delivery, Order } from './helper.ts';
import { tool } from './tools.ts';

const HELPER = fileURLToPath(new URL('helper.ts', import.meta.url));

interface Waiting {
  readonly resolve: (handle: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class SocketMaker {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #orders = 0;

  /** Starts the helper in the namespace with this path. */
  constructor(namespacePath: string) {
    this.#child = spawn(tool('nsenter'), [`--net=${namespacePath}`, process.execPath, HELPER], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#child.on('message', (message, handle) => this.#delivered(message as Delivery, handle));
    this.#child.once('exit', () => this.#failAll());
    // Tests end when their work is done, helpers or not.
    this.#child.unref();
    this.#child.channel?.unref();
  }

  /** A listener; connections are accepted in this process. Rejects if the address is taken. */
  listen(port: number, address: string): Promise<Server> {
    return this.#order('listener', port, address) as Promise<Server>;
  }

  /** A connected socket, paused until it is used. Rejects with the `code` of the failure. */
  connect(port: number, address: string): Promise<Socket> {
    return this.#order('connection', port, address) as Promise<Socket>;
  }

  bindUdp(port: number, address: string): Promise<UdpSocket> {
    return this.#order('udp', port, address) as Promise<UdpSocket>;
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }

  #order(open: Order['open'], port: number, address: string): Promise<unknown> {
    const order: Order = { id: ++this.#orders, open, port, address };
    return new Promise((resolve, reject) => {
      this.#waiting.set(order.id, { resolve, reject });
      this.#child.channel?.ref();
      this.#child.send(order, (error) => {
        if (error !== null) this.#settle(order.id)?.reject(error);
      });
    });
  }

  #delivered(delivery: Delivery, handle: unknown): void {
    const waiting = this.#settle(delivery.id);
    if (delivery.error === undefined) waiting?.resolve(handle);
    else waiting?.reject(Object.assign(new Error(delivery.error), { code: delivery.code }));
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#child.channel?.unref();
    return waiting;
  }

  #failAll(): void {
    for (const waiting of this.#waiting.values()) waiting.reject(new Error('the helper of the namespace has ended'));
    this.#waiting.clear();
  }
}
