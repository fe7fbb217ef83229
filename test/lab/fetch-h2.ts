// An HTTP/2 client inside a namespace.
import { connect } from 'node:http2';
import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2';
import { openConnection } from './fetch.ts';
import type { Answer, FetchOptions } from './fetch.ts';
import type { Host } from './host.ts';

/** One HTTP/2 connection, on which requests follow each other. */
export class KeptSession {
  readonly #session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
    session.on('error', () => undefined);
  }

  static async open(host: Host, url: string, options: Pick<FetchOptions, 'to'> = {}): Promise<KeptSession> {
    const { socket } = await openConnection(host, url, 'h2', options);
    return new KeptSession(connect(url, { createConnection: () => socket }));
  }

  /** Rejects if no complete answer comes. */
  fetch(url: string): Promise<Answer> {
    const { host, pathname, search } = new URL(url);
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({ ':authority': host, ':path': pathname + search });
      const chunks: Buffer[] = [];
      let head: IncomingHttpHeaders & { ':status'?: number } = {};
      stream.on('response', (headers) => (head = headers));
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', reject);
      stream.on('end', () => resolve({ status: head[':status'] ?? 0, headers: head, body: Buffer.concat(chunks) }));
      stream.end();
    });
  }

  close(): void {
    this.#session.destroy();
  }
}
