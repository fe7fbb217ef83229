// What the other side sends on an HTTP/2 connection, as events: frames that have the shape they must have, blocks of fields put
// together and decoded. Everything that breaks the protocol for the whole connection is thrown as `Http2Violation`.
import type { RawHeaders } from '../http/exchange.ts';
import { kept } from '../net/kept.ts';
import { giveBack, giveBackFraming } from '../net/read-blocks.ts';
import { HpackDecoder, HpackError } from './hpack.ts';
import { CODE, FLAG, FRAME, MAX_FRAME_BYTES, MAX_WINDOW, PREFACE, SETTING, unpadded } from './frames.ts';
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
  /** A frame that means nothing: an acknowledgement of SETTINGS, PRIORITY, or of a type that is not known. */
  takeNothing(type: number): void;
}

/** The other side broke the protocol; nothing that follows could be trusted (RFC 9113 §5.4.1). */
export class Http2Violation extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** What one block of fields may be. */
export interface BlockLimits {
  /** Decoded, as SETTINGS_MAX_HEADER_LIST_SIZE counts. */
  readonly headBytes: number;
  readonly fields: number;
  /** As it is sent, each of its frames counting some more. */
  readonly blockBytes: number;
  /** The other side is a client: its preface comes first (RFC 9113 §3.4). */
  readonly preface: boolean;
}

const BLOCK_FRAME_OVERHEAD = 1024;

export class Http2Receiver {
  readonly #events: ReceiverEvents;
  readonly #decoder: HpackDecoder;
  readonly #maxBlockBytes: number;
  readonly #reader = new FrameReader((type, flags, stream, payload) => this.#take(type, flags, stream, payload));
  #prefaceLeft: number;
  #greeted = false;
  /** A block of which not all has come. */
  #block: Buffer[] = [];
  #blockBytes = 0;
  /** Its stream and whether that ends with it; 0: there is none. */
  #blockStream = 0;
  #blockEnds = false;

  constructor(events: ReceiverEvents, limits: BlockLimits) {
    this.#events = events;
    this.#decoder = new HpackDecoder(limits.headBytes, limits.fields);
    this.#maxBlockBytes = limits.blockBytes;
    this.#prefaceLeft = limits.preface ? PREFACE.length : 0;
  }

  /** A block of fields has begun and not ended. */
  get withinBlock(): boolean {
    return this.#blockStream !== 0;
  }

  /** Octets of the last block of fields as it was decoded, as SETTINGS_MAX_HEADER_LIST_SIZE counts. */
  get fieldBytes(): number {
    return this.#decoder.bytes;
  }

  /** Within an event: no further head for now, `push` returns before it. */
  stop(): void {
    this.#reader.stop();
  }

  /** Gives what was not read because of `stop`, to be pushed before anything else. Throws `Http2Violation`; nothing may be pushed afterwards. */
  push(chunk: Buffer): Buffer | undefined {
    const frames = this.#prefaceLeft === 0 ? chunk : this.#behindPreface(chunk);
    const read = this.#reader.push(frames);
    if (read < 0) throw new Http2Violation(CODE.FRAME_SIZE_ERROR, 'a frame that is too large');
    return read < frames.length ? frames.subarray(read) : undefined;
  }

  #behindPreface(chunk: Buffer): Buffer {
    const length = Math.min(this.#prefaceLeft, chunk.length);
    const at = PREFACE.length - this.#prefaceLeft;
    if (PREFACE.compare(chunk, 0, length, at, at + length) !== 0) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'another preface than that of HTTP/2');
    this.#prefaceLeft -= length;
    giveBackFraming(chunk, length);
    return chunk.subarray(length);
  }

  #take(type: number, flags: number, stream: number, payload: Buffer): void {
    if (!this.#greeted && (type !== FRAME.SETTINGS || (flags & FLAG.ACK) !== 0)) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'a beginning without SETTINGS');
    this.#greeted = true;
    if (this.#blockStream !== 0 && (type !== FRAME.CONTINUATION || stream !== this.#blockStream)) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'a frame within a block of fields');
    switch (type) {
      case FRAME.DATA: {
        expectStream(stream);
        const data = unpadded(flags & FLAG.PADDED, payload);
        if (data === undefined) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'padding longer than its frame');
        giveBackFraming(payload, payload.length - data.length);
        this.#events.takeData(stream, data, payload.length, (flags & FLAG.END_STREAM) !== 0);
        return;
      }
      case FRAME.HEADERS: {
        expectStream(stream);
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
        expectStream(stream);
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
      case FRAME.PRIORITY:
        expectStream(stream);
        expectSize(payload, 5);
        this.#events.takeNothing(type);
        break;
      default:
        this.#events.takeNothing(type);
    }
    // What is left of it lies in strings and numbers; only of a block that goes on the parts are kept.
    if (this.#blockStream === 0) giveBack(payload);
  }

  #takeSettings(flags: number, payload: Buffer): void {
    if ((flags & FLAG.ACK) !== 0) {
      expectSize(payload, 0);
      this.#events.takeNothing(FRAME.SETTINGS);
      return;
    }
    const settings: [number, number][] = [];
    for (let at = 0; at < payload.length; at += 6) {
      if (at + 6 > payload.length) throw new Http2Violation(CODE.FRAME_SIZE_ERROR, 'a frame of a wrong size');
      const [id, value] = [payload.readUInt16BE(at), payload.readUInt32BE(at + 2)] as const;
      expectSetting(id, value);
      settings.push([id, value]);
    }
    this.#events.takeSettings(settings);
  }

  #takeBlock(flags: number, part: Buffer): void {
    this.#block.push((flags & FLAG.END_HEADERS) === 0 ? kept(part) : part);
    this.#blockBytes += part.length + BLOCK_FRAME_OVERHEAD;
    if (this.#blockBytes > this.#maxBlockBytes) throw new Http2Violation(CODE.ENHANCE_YOUR_CALM, 'a head that does not end');
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

/** RFC 9113 §6.5.2. */
function expectSetting(id: number, value: number): void {
  if (id === SETTING.INITIAL_WINDOW_SIZE && value > MAX_WINDOW) throw new Http2Violation(CODE.FLOW_CONTROL_ERROR, 'a window that cannot be');
  if (id === SETTING.ENABLE_PUSH && value > 1) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'a setting out of range');
  if (id === SETTING.MAX_FRAME_SIZE && (value < MAX_FRAME_BYTES || value >= 2 ** 24)) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'a setting out of range');
}

function expectStream(stream: number): void {
  if (stream === 0) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'a frame of a stream on the connection');
}

function expectConnection(stream: number): void {
  if (stream !== 0) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'a frame of the connection on a stream');
}
