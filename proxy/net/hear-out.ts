// By itself Node closes a socket when a write fails, and what the other side had said before it left is lost unread: its
// GOAWAY, or the answer with which it cut an upload short. Here that is read first.
import type { Socket } from 'node:net';

interface State {
  /** The stream destroys itself after an error, and when both of its sides have ended. */
  autoDestroy: boolean;
}

/**
 * From now on a write that fails brings the `error` event, then all that can still be read, and only then `close`; a read that fails
 * closes at once, as ever. For sockets that are read past their streams (direct-read.ts): a stream drops what comes after an error.
 */
export function hearOut(socket: Socket): void {
  const { _readableState: readable, _writableState: writable } = socket as unknown as { readonly _readableState: State; readonly _writableState: State };
  readable.autoDestroy = false;
  writable.autoDestroy = false;
  socket.once('error', () => setImmediate(closeWhenSilent, socket, -1));
  socket.once('end', () => {
    if (socket.writableFinished) socket.destroy();
    else socket.once('finish', () => socket.destroy());
  });
}

/** All that can still come is here already: it is over with the first turn of the event loop that brings nothing. */
function closeWhenSilent(socket: Socket, read: number): void {
  if (socket.destroyed) return;
  const now = socket.bytesRead;
  if (now === read || socket.isPaused()) socket.destroy();
  else setImmediate(closeWhenSilent, socket, now);
}
