// One request at a time to a proxy, as lean as Node allows: raw sockets for HTTP/1.1 and WebSocket, Node's own session for
// HTTP/2. Answers are only measured: a status other than 200, or a length that no field tells, counts as an error.
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Order } from './order.ts';

export type Done = (ok: boolean) => void;

export interface Link {
  /** Only when the answer before has come. */
  send(done: Done): void;
  close(): void;
}

/** Resolves with as many links as the order has connections, connected. */
export async function openLinks(order: Order): Promise<Link[]> {
  if (order.protocol === 'http2') return await openHttp2(order);
  const links: Link[] = [];
  const OPENING = 64;
  for (let count = 0; count < order.connections; count += OPENING) {
    const some = Array.from({ length: Math.min(OPENING, order.connections - count) }, () => openLink(order));
    links.push(...(await Promise.all(some)));
  }
  return links;
}

async function openLink(order: Order): Promise<Link> {
  if (order.fresh) return freshLink(order);
  const socket = await connect(order);
  return order.protocol === 'websocket' ? await websocketLink(socket, order) : http1Link(socket, order);
}

function connect(order: Order): Promise<Socket> {
  const { port } = order;
  const socket = order.tls
    ? connectTls({ host: '127.0.0.1', port, servername: order.host, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
    : connectTcp({ host: '127.0.0.1', port });
  socket.setNoDelay(true);
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once(order.tls ? 'secureConnect' : 'connect', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

function requestBytes({ method, path, host, bodyBytes, fresh }: Order): Buffer {
  const length = bodyBytes === 0 ? '' : `content-length: ${bodyBytes}\r\n`;
  const close = fresh ? 'connection: close\r\n' : '';
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${length}${close}\r\n${'x'.repeat(bodyBytes)}`, 'latin1');
}

function http1Link(socket: Socket, order: Order): Link {
  const request = requestBytes(order);
  let done: Done | undefined;
  let head = '';
  let left = -1;
  let good = false;
  function settle(ok: boolean): void {
    const settled = done;
    done = undefined;
    head = '';
    left = -1;
    settled?.(ok);
  }
  socket.on('data', (chunk: Buffer) => {
    if (left >= 0) left -= chunk.length;
    else {
      head += chunk.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
      good = head.startsWith('HTTP/1.1 200') && length !== undefined;
      left = Number(length ?? 0) - (head.length - end - 4);
    }
    if (left <= 0) settle(good && left === 0);
  });
  socket.on('close', () => settle(false));
  return {
    send(next) {
      done = next;
      if (socket.destroyed) setImmediate(settle, false);
      else socket.write(request);
    },
    close: () => socket.destroy(),
  };
}

/** A connection for every request. */
function freshLink(order: Order): Link {
  let open: Link | undefined;
  return {
    send(done) {
      connect(order).then((socket) => {
        const link = http1Link(socket, order);
        open = link;
        link.send((ok) => {
          link.close();
          done(ok);
        });
      }, () => done(false));
    },
    close: () => open?.close(),
  };
}

async function websocketLink(socket: Socket, order: Order): Promise<Link> {
  const key = Buffer.alloc(16, 7).toString('base64');
  socket.write(`GET ${order.path} HTTP/1.1\r\nhost: ${order.host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\n\r\n`);
  const answer = await new Promise<string>((resolve) => {
    let head = '';
    socket.on('data', function read(chunk: Buffer) {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', read);
      resolve(head);
    });
    socket.once('close', () => resolve(head));
  });
  if (!answer.startsWith('HTTP/1.1 101')) throw new Error(`no WebSocket: ${answer.split('\r\n')[0]}`);
  // RFC 6455: a text frame whose mask is zero, and the same frame unmasked as the answer.
  const frame = Buffer.concat([Buffer.from([0x81, 0x80 | order.bodyBytes, 0, 0, 0, 0]), Buffer.alloc(order.bodyBytes, 'x')]);
  let done: Done | undefined;
  let left = 0;
  function settle(ok: boolean): void {
    const settled = done;
    done = undefined;
    settled?.(ok);
  }
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left <= 0) settle(left === 0);
  });
  socket.on('close', () => settle(false));
  return {
    send(next) {
      done = next;
      left = 2 + order.bodyBytes;
      if (socket.destroyed) setImmediate(settle, false);
      else socket.write(frame);
    },
    close: () => socket.destroy(),
  };
}

/** Streams are links here, sixteen of them to a connection. */
async function openHttp2(order: Order): Promise<Link[]> {
  const STREAMS = 16;
  const sessions = await Promise.all(Array.from({ length: Math.ceil(order.connections / STREAMS) }, () => openSession(order)));
  return Array.from({ length: order.connections }, (_, index) => http2Link(sessions[index % sessions.length]!, order));
}

function openSession(order: Order): Promise<ClientHttp2Session> {
  const session = connectHttp2(`${order.tls ? 'https' : 'http'}://127.0.0.1:${order.port}`, { rejectUnauthorized: false, servername: order.host });
  return new Promise((resolve, reject) => {
    session.once('error', reject);
    session.once('connect', () => resolve(session.on('error', () => undefined)));
  });
}

function http2Link(session: ClientHttp2Session, order: Order): Link {
  const body = order.bodyBytes === 0 ? undefined : Buffer.alloc(order.bodyBytes, 'x');
  const headers = { ':method': order.method, ':path': order.path, ':authority': order.host, ...order.headers };
  return {
    send(done) {
      if (session.destroyed) {
        setImmediate(done, false);
        return;
      }
      let status = 0;
      const stream = session.request(headers, { endStream: body === undefined });
      stream.on('response', (fields) => (status = fields[':status'] ?? 0));
      stream.on('error', () => undefined);
      stream.on('close', () => done(status === 200 && stream.rstCode === 0));
      stream.resume();
      if (body !== undefined) stream.end(body);
    },
    close: () => session.destroy(),
  };
}
