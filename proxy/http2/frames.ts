// Frames of HTTP/2 (RFC 9113 §4, §6): their numbers, and how they are written. They are read by reader.ts.

export const FRAME = { DATA: 0, HEADERS: 1, PRIORITY: 2, RST_STREAM: 3, SETTINGS: 4, PUSH_PROMISE: 5, PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8, CONTINUATION: 9 } as const;
export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;
export const SETTING = { HEADER_TABLE_SIZE: 1, ENABLE_PUSH: 2, MAX_CONCURRENT_STREAMS: 3, INITIAL_WINDOW_SIZE: 4, MAX_FRAME_SIZE: 5, MAX_HEADER_LIST_SIZE: 6 } as const;
/** RFC 9113 §7. */
export const CODE = {
  NO_ERROR: 0, PROTOCOL_ERROR: 1, INTERNAL_ERROR: 2, FLOW_CONTROL_ERROR: 3, SETTINGS_TIMEOUT: 4, STREAM_CLOSED: 5, FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7, CANCEL: 8, COMPRESSION_ERROR: 9, CONNECT_ERROR: 10, ENHANCE_YOUR_CALM: 11, INADEQUATE_SECURITY: 12, HTTP_1_1_REQUIRED: 13,
} as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const DEFAULT_WINDOW = 65_535;
/** Every peer takes frames of this size, and none gets larger ones from here. */
export const MAX_FRAME_BYTES = 16_384;
export const MAX_WINDOW = 2 ** 31 - 1;
export const FRAME_HEAD_BYTES = 9;
const EMPTY = Buffer.alloc(0);

/** Name of an error code; an unknown one as a number. */
export function codeName(code: number): string {
  for (const [name, value] of Object.entries(CODE)) if (value === code) return name;
  return String(code);
}

/** The octets of DATA or HEADERS without padding and priority; undefined: the padding is longer than the frame. */
export function unpadded(flags: number, payload: Buffer): Buffer | undefined {
  let start = 0;
  let end = payload.length;
  if ((flags & FLAG.PADDED) !== 0) {
    if (end === 0) return undefined;
    end -= payload[0] as number;
    start = 1;
  }
  if ((flags & FLAG.PRIORITY) !== 0) start += 5;
  return start > end ? undefined : payload.subarray(start, end);
}

/** A frame in one piece; for short payloads. */
export function frame(type: number, flags: number, stream: number, payload: Buffer = EMPTY): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEAD_BYTES + payload.length);
  putFrameHead(bytes, 0, type, flags, stream, payload.length);
  payload.copy(bytes, FRAME_HEAD_BYTES);
  return bytes;
}

export const SETTINGS_ACK = frame(FRAME.SETTINGS, FLAG.ACK, 0);

/** HEADERS, and CONTINUATION where one frame is not enough. */
export function headersFrames(stream: number, block: Buffer, endStream: boolean): Buffer {
  const end = endStream ? FLAG.END_STREAM : 0;
  if (block.length <= MAX_FRAME_BYTES) return frame(FRAME.HEADERS, FLAG.END_HEADERS | end, stream, block);
  const frames = [frame(FRAME.HEADERS, end, stream, block.subarray(0, MAX_FRAME_BYTES))];
  for (let at = MAX_FRAME_BYTES; at < block.length; at += MAX_FRAME_BYTES) {
    const next = block.subarray(at, at + MAX_FRAME_BYTES);
    frames.push(frame(FRAME.CONTINUATION, at + next.length === block.length ? FLAG.END_HEADERS : 0, stream, next));
  }
  return Buffer.concat(frames);
}

/** `text`: for whoever reads there what came from here (RFC 9113 §6.8), in ASCII. */
export function goawayFrame(lastStream: number, code: number, text = ''): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEAD_BYTES + 8 + text.length);
  putFrameHead(bytes, 0, FRAME.GOAWAY, 0, 0, 8 + text.length);
  bytes.writeUInt32BE(lastStream, FRAME_HEAD_BYTES);
  bytes.writeUInt32BE(code, FRAME_HEAD_BYTES + 4);
  bytes.write(text, FRAME_HEAD_BYTES + 8, 'latin1');
  return bytes;
}

export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.allocUnsafe(settings.length * 6);
  settings.forEach(([id, value], nth) => {
    payload.writeUInt16BE(id, nth * 6);
    payload.writeUInt32BE(value, nth * 6 + 2);
  });
  return frame(FRAME.SETTINGS, 0, 0, payload);
}

/** Writes the nine octets that a frame begins with. */
export function putFrameHead(bytes: Buffer, at: number, type: number, flags: number, stream: number, length: number): void {
  bytes[at] = length >> 16;
  bytes[at + 1] = length >> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  bytes[at + 5] = stream >>> 24;
  bytes[at + 6] = stream >> 16;
  bytes[at + 7] = stream >> 8;
  bytes[at + 8] = stream;
}
