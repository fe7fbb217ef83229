// The process that a namespace has for sockets: it opens them there and hands them to the test process, where they stay
// sockets of that namespace. So one test process serves all pods and is all clients. It ends with its parent.
import { createSocket } from 'node:dgram';
import type { Socket as UdpSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

const CONNECT_TIMEOUT_MS = 2500;

/** What the test process asks for. */
export interface Order {
  readonly id: number;
  readonly open: 'listener' | 'connection' | 'udp';
  readonly address: string;
  readonly port: number;
}

/** The answer, with the socket beside it, unless there is an error. */
export interface Delivery {
  readonly id: number;
  readonly error?: string;
  readonly code?: string;
}

function deliver(order: Order, error: NodeJS.ErrnoException | undefined, handle?: Socket | Server | UdpSocket): void {
  const delivery: Delivery = error === undefined ? { id: order.id } : { id: order.id, error: error.message, code: error.code ?? '' };
  process.send?.(delivery, handle, {}, () => {
    // A listener that stays open here too would take connections that nobody answers.
    if (handle !== undefined && order.open !== 'connection') (handle as Server).close();
  });
}

function open(order: Order): void {
  const failed = (error: NodeJS.ErrnoException): void => deliver(order, error);
  if (order.open === 'listener') {
    const server = createServer();
    server.once('error', failed);
    server.listen({ port: order.port, host: order.address, backlog: 1024 }, () => deliver(order, undefined, server));
  } else if (order.open === 'udp') {
    const socket = createSocket(order.address.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', failed);
    socket.bind(order.port, order.address, () => deliver(order, undefined, socket));
  } else {
    const socket = connect({ port: order.port, host: order.address, noDelay: true });
    // What is read here would be lost for the test process.
    socket.pause();
    socket.once('error', failed);
    const timer = setTimeout(() => socket.destroy(Object.assign(new Error(`no connection to ${order.address} port ${order.port} within ${CONNECT_TIMEOUT_MS} ms`), { code: 'ETIMEDOUT' })), CONNECT_TIMEOUT_MS);
    socket.once('close', () => clearTimeout(timer));
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', failed);
      deliver(order, undefined, socket);
    });
  }
}

process.on('message', (order) => open(order as Order));
process.on('disconnect', () => process.exit());
