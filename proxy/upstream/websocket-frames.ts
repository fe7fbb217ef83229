// As much of the WebSocket framing (RFC 6455 §5.2) as it takes to say goodbye in the middle of a foreign conversation: where
// frames end, and the Close frame. Payloads are skipped, so the cost is that of a few bytes per frame.
import { randomBytes } from 'node:crypto';

/** Follows one direction of a connection from its first byte on. */
export class FrameBoundary {
  readonly #header = new Uint8Array(14);
  #have = 0;
  #payloadLeft = 0;

  /** True: the next byte is the first of a frame. */
  get reached(): boolean {
    return this.#have === 0 && this.#payloadLeft === 0;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#payloadLeft > 0) {
        const skipped = Math.min(this.#payloadLeft, chunk.length - at);
        this.#payloadLeft -= skipped;
        at += skipped;
        continue;
      }
      this.#header[this.#have++] = chunk[at++] ?? 0;
      if (this.#have >= 2 && this.#have === this.#headerLength()) {
        this.#payloadLeft = this.#payloadLength();
        this.#have = 0;
      }
    }
  }

  #headerLength(): number {
    const second = this.#header[1] ?? 0;
    const extended = (second & 0x7f) === 126 ? 2 : (second & 0x7f) === 127 ? 8 : 0;
    return 2 + extended + ((second & 0x80) === 0 ? 0 : 4);
  }

  #payloadLength(): number {
    const view = new DataView(this.#header.buffer);
    const length = view.getUint8(1) & 0x7f;
    if (length === 126) return view.getUint16(2);
    return length === 127 ? view.getUint32(2) * 2 ** 32 + view.getUint32(6) : length;
  }
}

/** A Close frame with a status code (RFC 6455 §7.4). What goes to an endpoint is masked, what goes to a client is not. */
export function closeFrame(code: number, masked: boolean): Buffer {
  const payload = Buffer.from([code >> 8, code & 0xff]);
  if (!masked) return Buffer.concat([Buffer.from([0x88, payload.length]), payload]);
  const mask = randomBytes(4);
  for (let at = 0; at < payload.length; at++) payload[at] = (payload[at] ?? 0) ^ (mask[at] ?? 0);
  return Buffer.concat([Buffer.from([0x88, 0x80 | payload.length]), mask, payload]);
}
