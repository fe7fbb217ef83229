// Resetting a TCP connection. Node 26 loses track of a socket that is reset while its end is on the way, and then never
// finishes exiting: such a socket is closed in the ordinary way.
import type { Socket } from 'node:net';

export function cut(socket: Socket): void {
  if (socket.writableEnded || socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}
