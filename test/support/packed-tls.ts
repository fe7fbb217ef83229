// A TLS client whose records leave together: everything that is written between `hold` and `flush` goes out in one packet.
import net from 'node:net';
import { Duplex } from 'node:stream';
import tls from 'node:tls';

class Packer extends Duplex {
  readonly #socket: net.Socket;
  #held: Buffer[] | undefined;

  constructor(socket: net.Socket) {
    super();
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.push(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', () => this.destroy());
  }

  hold(): void {
    this.#held ??= [];
  }

  flush(): void {
    if (this.#held !== undefined) this.#socket.write(Buffer.concat(this.#held));
    this.#held = undefined;
  }

  override _read(): void {
    // what comes is pushed as it comes
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (this.#held === undefined) this.#socket.write(chunk);
    else this.#held.push(chunk);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}

export interface PackedTls {
  readonly socket: tls.TLSSocket;
  /** Sends each piece as records of its own, and all of them in one write to the network. */
  send(pieces: readonly Buffer[]): Promise<void>;
}

/** Resolves after the handshake. */
export async function packedTls(port: number, options: tls.ConnectionOptions): Promise<PackedTls> {
  const packer = new Packer(net.connect({ port, host: '127.0.0.1', noDelay: true }));
  const socket = tls.connect({ ...options, socket: packer });
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => socket.destroy());
  return {
    socket,
    send: async (pieces) => {
      packer.hold();
      for (const piece of pieces) {
        await new Promise((resolve) => socket.write(piece, resolve));
        await new Promise((resolve) => setImmediate(resolve));
      }
      packer.flush();
    },
  };
}
