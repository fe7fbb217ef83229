// Resetting a TCP connection. Node 26 loses track of a socket that is reset while its end is on the way, and then never
// finishes exiting: such a socket is closed in the ordinary way. The end of a TLSSocket is that of the socket under it, which
// does not know of it.
import type { Socket } from 'node:net';

/** `above`: the TLSSocket on it, if there is one. */
export function cut(socket: Socket, above: Socket = socket): void {
  if (socket.writableEnded || above.writableEnded || socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}
