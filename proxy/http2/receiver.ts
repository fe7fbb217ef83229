// What an endpoint sends on an HTTP/2 connection, as events: frames that have the shape they must have, blocks of fields put
// together and decoded. Everything that breaks the protocol for the whole connection is thrown as `Http2Violation`.
import type { RawHeaders } from '../http/exchange.ts';
import { HpackDecoder, HpackError } from './hpack.ts';
import { CODE, FLAG, FRAME, unpadded } from './frames.ts';
import { FrameReader } from './reader.ts';

/** Streams are named by their numbers; whether they exist is for the taker to know. */
export interface ReceiverEvents {
  /** `octets`: of the whole payload, which is what flow control counts. */
  takeData(stream: number, data: Buffer, octets: number, end: boolean): void;
  /** `tooLarge`: what was over the limits is not in `fields`. */
  takeFields(stream: number, fields: RawHeaders, tooLarge: boolean, end: boolean): void;
  takeReset(stream: number, code: number): void;
  takeSettings(settings: readonly (readonly [id: number, value: number])[]): void;
  takePing(payload: Buffer): void;
  takePong(): void;
  takeGoaway(lastStream: number, code: number): void;
  /** `stream`: 0 for the connection. */
  takeWindow(stream: number, octets: number): void;
}

/** The endpoint broke the protocol; nothing that follows could be trusted (RFC 9113 §5.4.1). */
export class Http2Violation extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const MAX_FIELDS = 256;
/** Of one block as it is sent, each of its frames counting some more. */
const MAX_BLOCK_BYTES = 256 * 1024;
const BLOCK_FRAME_OVERHEAD = 1024;

export class Http2Receiver {
  readonly #events: ReceiverEvents;
  readonly #decoder: HpackDecoder;
  readonly #reader = new FrameReader((type, flags, stream, payload) => this.#take(type, flags, stream, payload));
  #greeted = false;
  /** A block of which not all has come. */
  #block: Buffer[] = [];
  #blockBytes = 0;
  /** Its stream and whether that ends with it; 0: there is none. */
  #blockStream = 0;
  #blockEnds = false;

  /** `maxHeadBytes`: of one block, decoded. */
  constructor(events: ReceiverEvents, maxHeadBytes: number) {
    this.#events = events;
    this.#decoder = new HpackDecoder(maxHeadBytes, MAX_FIELDS);
  }

  /** Throws `Http2Violation`; nothing may be pushed afterwards. */
  push(chunk: Buffer): void {
    if (!this.#reader.push(chunk)) throw new Http2Violation(CODE.FRAME_SIZE_ERROR, 'a frame that is too large');
  }

  #take(type: number, flags: number, stream: number, payload: Buffer): void {
    if (!this.#greeted && (type !== FRAME.SETTINGS || (flags & FLAG.ACK) !== 0)) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'a beginning without SETTINGS');
    this.#greeted = true;
    if (this.#blockStream !== 0 && (type !== FRAME.CONTINUATION || stream !== this.#blockStream)) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'a frame within a block of fields');
    switch (type) {
      case FRAME.DATA: {
        const data = unpadded(flags & FLAG.PADDED, payload);
        if (data === undefined) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'padding longer than its frame');
        this.#events.takeData(stream, data, payload.length, (flags & FLAG.END_STREAM) !== 0);
        break;
      }
      case FRAME.HEADERS: {
        const part = unpadded(flags, payload);
        if (part === undefined) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'padding longer than its frame');
        this.#blockStream = stream;
        this.#blockEnds = (flags & FLAG.END_STREAM) !== 0;
        this.#takeBlock(flags, part);
        break;
      }
      case FRAME.CONTINUATION:
        if (this.#blockStream === 0) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'CONTINUATION of nothing');
        this.#takeBlock(flags, payload);
        break;
      case FRAME.RST_STREAM:
        expectSize(payload, 4);
        this.#events.takeReset(stream, payload.readUInt32BE(0));
        break;
      case FRAME.SETTINGS:
        expectConnection(stream);
        this.#takeSettings(flags, payload);
        break;
      case FRAME.PING:
        expectConnection(stream);
        expectSize(payload, 8);
        if ((flags & FLAG.ACK) === 0) this.#events.takePing(payload);
        else this.#events.takePong();
        break;
      case FRAME.GOAWAY:
        expectConnection(stream);
        if (payload.length < 8) throw new Http2Violation(CODE.FRAME_SIZE_ERROR, 'a frame of a wrong size');
        this.#events.takeGoaway(payload.readUInt32BE(0) & 0x7fffffff, payload.readUInt32BE(4));
        break;
      case FRAME.WINDOW_UPDATE:
        expectSize(payload, 4);
        this.#events.takeWindow(stream, payload.readUInt32BE(0) & 0x7fffffff);
        break;
      case FRAME.PUSH_PROMISE:
        throw new Http2Violation(CODE.PROTOCOL_ERROR, 'PUSH_PROMISE, which was ruled out');
      // PRIORITY, which means nothing any more, and what a later version may bring are passed over.
    }
  }

  #takeSettings(flags: number, payload: Buffer): void {
    if ((flags & FLAG.ACK) !== 0) {
      expectSize(payload, 0);
      return;
    }
    const settings: [number, number][] = [];
    for (let at = 0; at < payload.length; at += 6) {
      if (at + 6 > payload.length) throw new Http2Violation(CODE.FRAME_SIZE_ERROR, 'a frame of a wrong size');
      settings.push([payload.readUInt16BE(at), payload.readUInt32BE(at + 2)]);
    }
    this.#events.takeSettings(settings);
  }

  #takeBlock(flags: number, part: Buffer): void {
    this.#block.push(part);
    this.#blockBytes += part.length + BLOCK_FRAME_OVERHEAD;
    if (this.#blockBytes > MAX_BLOCK_BYTES) throw new Http2Violation(CODE.ENHANCE_YOUR_CALM, 'a head that does not end');
    if ((flags & FLAG.END_HEADERS) === 0) return;
    const stream = this.#blockStream;
    const block = this.#block.length === 1 ? part : Buffer.concat(this.#block);
    this.#block = [];
    this.#blockBytes = 0;
    this.#blockStream = 0;
    let fields: RawHeaders;
    try {
      fields = this.#decoder.decode(block);
    } catch (error) {
      if (!(error instanceof HpackError)) throw error;
      throw new Http2Violation(CODE.COMPRESSION_ERROR, error.message);
    }
    this.#events.takeFields(stream, fields, this.#decoder.tooLarge, this.#blockEnds);
  }
}

function expectSize(payload: Buffer, size: number): void {
  if (payload.length !== size) throw new Http2Violation(CODE.FRAME_SIZE_ERROR, 'a frame of a wrong size');
}

function expectConnection(stream: number): void {
  if (stream !== 0) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'a frame of the connection on a stream');
}
