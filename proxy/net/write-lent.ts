// Writes of what was lent (read-blocks.ts), and whether a socket takes more: what the system has taken at once does not wait, however
// much it was, and `write` by itself says no to every large piece.
import type { Socket } from 'node:net';
import { giveBack, isLent } from './read-blocks.ts';

/** Writes bytes that nobody has any longer once they have left. */
export function writeLent(socket: Socket, bytes: Buffer): void {
  if (!isLent(bytes)) {
    socket.write(bytes);
    return;
  }
  socket.write(bytes, (error) => {
    if (error === undefined || error === null) giveBack(bytes);
  });
}

/** False: too much waits in the socket, and `drain` will follow. */
export function takesMore(socket: Socket): boolean {
  return socket.writableLength < socket.writableHighWaterMark;
}
