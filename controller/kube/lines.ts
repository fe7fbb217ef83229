// Lines out of the chunks of a stream: a watch is one JSON value per line, and a line may come in many pieces.

const LINE_FEED = 0x0a;

/** Far more than the API server stores of one object. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

export class LineSplitter {
  #pieces: Buffer[] = [];
  #length = 0;

  /** Bytes of a line whose end has not come yet. */
  get pending(): number {
    return this.#length;
  }

  /** The lines that this chunk completes, without line feeds; empty ones are left out. Throws RangeError on a line without end. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, from)) {
      const tail = chunk.subarray(from, end);
      const line = this.#length === 0 ? tail.toString() : Buffer.concat([...this.#pieces, tail]).toString();
      this.#pieces = [];
      this.#length = 0;
      if (line !== '') lines.push(line);
      from = end + 1;
    }
    if (from < chunk.length) {
      this.#pieces.push(chunk.subarray(from));
      this.#length += chunk.length - from;
      if (this.#length > MAX_LINE_BYTES) throw new RangeError(`a line of a watch is longer than ${MAX_LINE_BYTES} bytes`);
    }
    return lines;
  }
}
