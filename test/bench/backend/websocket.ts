// A WebSocket echo of small messages on a bare socket: `node test/bench/backend/websocket.ts`, which prints its port. It knows
// just enough of RFC 6455 to answer what a proxy passes on: no fragments, no message of more than 125 bytes.
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const MASK_BYTES = 4;

const server = createServer({ noDelay: true }, (socket) => {
  let head = '';
  let frames: Buffer = Buffer.alloc(0);
  let upgraded = false;
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    if (upgraded) {
      frames = echo(socket, frames.length === 0 ? chunk : Buffer.concat([frames, chunk]));
      return;
    }
    head += chunk.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    upgraded = true;
    const key = /\r\nsec-websocket-key: *(\S+)/i.exec(head)?.[1] ?? '';
    const accept = createHash('sha1').update(key + GUID).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`);
    frames = echo(socket, Buffer.from(head.slice(end + 4), 'latin1'));
  });
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));

/** Answers all whole messages of `bytes` and gives back the rest. */
function echo(socket: Socket, bytes: Buffer): Buffer {
  let at = 0;
  while (bytes.length - at >= 2) {
    const length = bytes[at + 1]! & 0x7f;
    const payload = at + 2 + MASK_BYTES;
    if (bytes.length < payload + length) break;
    const answer = Buffer.allocUnsafe(2 + length);
    answer[0] = bytes[at]!;
    answer[1] = length;
    for (let index = 0; index < length; index++) answer[2 + index] = bytes[payload + index]! ^ bytes[at + 2 + (index % MASK_BYTES)]!;
    socket.write(answer);
    at = payload + length;
  }
  return bytes.subarray(at);
}
