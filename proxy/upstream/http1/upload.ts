// Writes a request whose body is a stream: by length or in chunks, no faster than the connection takes it. The head leaves
// with the first bytes of the body that are here already, so that a body that failed before sends nothing.
import type net from 'node:net';
import type { Readable } from 'node:stream';
import { writeLent } from '../../net/write-lent.ts';
import { Http1ClientError } from './error.ts';

const LAST_CHUNK = Buffer.from('0\r\n\r\n', 'latin1');

export interface UploadEvents {
  /** False: the request is over, whatever became of it. */
  wanted(): boolean;
  /** All of it has been written. */
  sent(): void;
  /** It will never be complete: the connection must be cut. */
  failed(error: Error): void;
}

/** `length`: declared bytes; undefined: chunked. `head`: request line and fields, to the empty line. */
export function sendBody(socket: net.Socket, body: Readable, length: number | undefined, head: string, events: UploadEvents): void {
  let pending: string | undefined = head;
  let sent = 0;
  let complete = false;
  const begin = (): void => {
    if (pending === undefined || !events.wanted()) return;
    socket.write(pending, 'latin1');
    pending = undefined;
  };
  const onDrain = (): void => void body.resume();
  const onData = (chunk: Buffer): void => {
    if (!events.wanted()) return;
    sent += chunk.length;
    if (length !== undefined && sent > length) {
      events.failed(new Http1ClientError('UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', 'the body is longer than announced'));
      return;
    }
    socket.cork();
    begin();
    if (length === undefined) socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
    writeLent(socket, chunk);
    if (length === undefined) socket.write('\r\n', 'latin1');
    process.nextTick(uncork, socket);
    if (socket.writableNeedDrain) body.pause();
  };
  const stop = (): void => {
    socket.off('drain', onDrain);
    body.off('data', onData);
  };
  socket.on('drain', onDrain);
  body.on('data', onData);
  body.once('end', () => {
    stop();
    if (!events.wanted()) return;
    if (length !== undefined && sent < length) {
      events.failed(new Http1ClientError('UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', 'the body is shorter than announced'));
      return;
    }
    begin();
    if (length === undefined) socket.write(LAST_CHUNK);
    complete = true;
    events.sent();
  });
  body.once('error', (error) => events.failed(error));
  body.once('close', () => {
    stop();
    if (!complete) events.failed(new Http1ClientError('UND_ERR_SOCKET', 'the body was cut off'));
  });
  setImmediate(begin);
}

function uncork(socket: net.Socket): void {
  socket.uncork();
}
