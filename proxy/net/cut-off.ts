// The end of a connection whose end says that all was sent (an answer to HTTP/1.0 without length), before all was sent: a reset,
// which nobody takes for that. Node has one for sockets of its own only; over TLS the socket under it is reset, and no
// close_notify is sent either (RFC 8446 §6.1).
import type { Socket } from 'node:net';

/** Closes the socket at once, by a reset unless all that it was given has left. */
export function cutOff(socket: Socket): void {
  // What the kernel has taken it still delivers, with the end behind it; a reset would destroy it on its way.
  if (!socket.destroyed && !(socket.writableEnded && socket.writableLength === 0)) carrierOf(socket).resetAndDestroy();
  socket.destroy();
}

/** Of a TLSSocket the accepted one under it; not documented, and without it `resetAndDestroy` would throw. */
function carrierOf(socket: Socket): Socket {
  return (socket as Socket & { readonly _parent?: Socket | null })._parent ?? socket;
}
