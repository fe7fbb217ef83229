// Whether a response that Node ends was ended by the endpoint. Node pushes the same null for END_STREAM and for a reset with
// NO_ERROR; only the order tells them apart: a reset has closed the stream before, the last frame of a message has not.
import { Duplex } from 'node:stream';
import type { ClientHttp2Stream } from 'node:http2';

/** Told of the end inside the event that brings it, at most once with each value. Data may still be in the stream's buffer. */
export interface EndWatcher {
  /** `complete`: END_STREAM has come (RFC 9113 §8.1); else the stream was cut. */
  streamEnded(complete: boolean): void;
}

const watcher = Symbol('watcher');

interface WatchedStream extends ClientHttp2Stream {
  [watcher]?: EndWatcher;
}

/** `stream` must be new. */
export function watchEnd(stream: ClientHttp2Stream, owner: EndWatcher): void {
  (stream as WatchedStream)[watcher] = owner;
  stream.push = push;
}

function push(this: WatchedStream, chunk: unknown, encoding?: BufferEncoding): boolean {
  if (chunk === null) this[watcher]?.streamEnded(!this.closed && !this.destroyed);
  return Duplex.prototype.push.call(this, chunk, encoding);
}
