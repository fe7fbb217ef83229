// One client with a source address of its own, so that the witness knows whose request it got. It sends a stream, waits
// until nothing more comes, closes its side, and gives back all that it was sent. No waiting time decides about a result:
// whoever is slow only gets the end of the stream while an answer is still on its way, and must be answered all the same.
import { once } from 'node:events';
import net from 'node:net';
import { pieces } from './stream.ts';
import type { Stream } from './stream.ts';

/** Without a byte for this long the client takes it that nothing more comes. */
const QUIET_MS = 40;
/** A connection that is still open this long after the client closed its side hangs. */
const HANGS_MS = 8_000;

export interface Talk {
  readonly received: Buffer;
  /** False: the proxy did not close the connection although the client had. */
  readonly closed: boolean;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Addresses of clients: 127.77.x.y, each for one client. */
export function laneAddress(index: number): string {
  return `127.77.${index >> 8}.${index & 255}`;
}

/** `last`: text of the answer behind which nothing more is expected. */
export async function talk(port: number, address: string, stream: Stream, last?: string): Promise<Talk> {
  const socket = net.connect({ port, host: '127.0.0.1', localAddress: address, allowHalfOpen: true, noDelay: true });
  let received: Buffer = Buffer.alloc(0);
  let over = false;
  let wake = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      over = true;
      resolve();
      wake();
    };
    socket.on('end', end).on('close', end);
  });
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    wake();
  });
  await once(socket, 'connect');
  for (const piece of pieces(stream)) {
    socket.write(piece);
    if (stream.cuts.length > 0) await turn();
  }
  while (!over && !(last !== undefined && received.includes(last, 0, 'latin1'))) {
    const quiet = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(resolve, QUIET_MS, true);
      wake = () => {
        clearTimeout(timer);
        resolve(false);
      };
    });
    if (quiet) break;
  }
  wake = () => undefined;
  socket.end();
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, HANGS_MS).unref())]);
  socket.destroy();
  return { received, closed: over };
}
