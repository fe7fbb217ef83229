// The first bytes of a connection, read before it belongs to anybody: a PROXY protocol header where the peer must send one, and
// the name in a ClientHello where it decides which TLS server the connection gets. Bounded in bytes and in time; what was
// read of the connection itself is put back, so that whoever gets the socket reads it from its first byte.
import type { Socket } from 'node:net';
import type { Deadlines, Expiring } from '../time/deadlines.ts';
import { beginsAsHandshake, readClientHello } from './client-hello.ts';
import { readProxyHeader } from './proxy-protocol.ts';
import type { Proxied } from './proxy-protocol.ts';

/** What the first bytes said. */
export interface Opening {
  readonly proxied: Proxied | undefined;
  /** Of the ClientHello, as the client wrote it; empty where it was not looked for, or there was none. */
  readonly serverName: string;
}

export interface Wanted {
  readonly proxyHeader: boolean;
  readonly serverName: boolean;
}

/** What the connection had not said when it was cut; `nothing`: a balancer left without a byte, as its health checks do. */
export type Unsaid = 'proxyHeader' | 'hello' | 'nothing';

const MAX_BYTES = 16 * 1024;
const TIMEOUT_MS = 5_000;

export class Prelude implements Expiring {
  deadlineAt = 0;
  wheelTurn = 0;
  wheelPlace = 0;
  readonly #socket: Socket;
  readonly #deadlines: Deadlines;
  readonly #onOpening: (opening: Opening) => void;
  readonly #onFailure: (unsaid: Unsaid) => void;
  readonly #serverName: boolean;
  #proxyHeader: boolean;
  #proxied: Proxied | undefined;
  #bytes: Buffer | undefined;
  #over = false;
  readonly #onData = (chunk: Buffer): void => this.#read(chunk);
  readonly #onEnd = (): void => this.#fail(this.#proxyHeader && this.#bytes === undefined ? 'nothing' : this.#unsaid());

  /** Exactly one of the two is called: with the socket as if nothing had been read, or when it is about to be cut. */
  constructor(socket: Socket, wanted: Wanted, deadlines: Deadlines, onOpening: (opening: Opening) => void, onFailure: (unsaid: Unsaid) => void) {
    this.#socket = socket;
    this.#deadlines = deadlines;
    this.#onOpening = onOpening;
    this.#onFailure = onFailure;
    this.#proxyHeader = wanted.proxyHeader;
    this.#serverName = wanted.serverName;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onEnd);
    deadlines.set(this, TIMEOUT_MS);
  }

  onDeadline(): void {
    this.#fail(this.#unsaid());
  }

  #unsaid(): Unsaid {
    return this.#proxyHeader ? 'proxyHeader' : 'hello';
  }

  /** Cuts the connection. */
  #fail(unsaid: Unsaid): void {
    if (this.#over) return;
    this.#release();
    this.#onFailure(unsaid);
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const bytes = this.#bytes === undefined ? chunk : Buffer.concat([this.#bytes, chunk]);
    this.#bytes = bytes;
    if (this.#proxyHeader) {
      const header = readProxyHeader(bytes);
      if (header === 'incomplete') return this.#wait(bytes);
      if (header === 'invalid') return this.#fail('proxyHeader');
      this.#proxyHeader = false;
      this.#proxied = header.proxied;
      this.#bytes = bytes.subarray(header.length);
    }
    if (!this.#serverName) return this.#done('');
    const hello = readClientHello(this.#bytes);
    if (hello === 'incomplete') this.#wait(this.#bytes);
    // It would be served as if it named nobody, whatever its host says of TLS.
    else if (hello === 'other' && beginsAsHandshake(this.#bytes)) this.#fail('hello');
    else this.#done(hello === 'other' ? '' : hello.serverName);
  }

  #wait(bytes: Buffer): void {
    if (bytes.length >= MAX_BYTES) this.#fail(this.#unsaid());
  }

  #done(serverName: string): void {
    const rest = this.#bytes;
    this.#release();
    this.#socket.pause();
    if (rest !== undefined && rest.length > 0) this.#socket.unshift(rest);
    this.#onOpening({ proxied: this.#proxied, serverName });
  }

  #release(): void {
    this.#over = true;
    this.#bytes = undefined;
    this.#deadlines.clear(this);
    this.#socket.off('data', this.#onData);
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('close', this.#onEnd);
  }
}
