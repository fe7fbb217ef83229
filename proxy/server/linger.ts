// The end of a connection from our side: what was written last must still reach its client, and a reset would destroy it on
// its way. So the sending side is closed, and the client has a moment to close the other one.
import type { Socket } from 'node:net';
import type { Expiring } from '../time/deadlines.ts';
import type { ServerContext } from './context.ts';

/** Whoever calls goes on to read, drops what comes, and destroys the socket when the deadline of `connection` is over. */
export function endAndLinger(socket: Socket, connection: Expiring, { deadlines, limits }: Pick<ServerContext, 'deadlines' | 'limits'>, lingerMs: number): void {
  if (socket.writableLength === 0) {
    socket.end();
    deadlines.set(connection, lingerMs);
    return;
  }
  // The moment begins when the client has taken what is still to be written.
  deadlines.set(connection, limits.writeStallMs);
  socket.end(() => {
    if (!socket.destroyed) deadlines.set(connection, lingerMs);
  });
}
