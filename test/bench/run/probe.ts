// One request or handshake, to see if something answers, and as it should, before it is measured.
import { request as requestHttp } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request as requestHttps } from 'node:https';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';

const LIMIT_MS = 3000;

export interface Answer {
  readonly status: number;
  readonly bytes: number;
}

export interface ProbeOptions {
  readonly tls?: boolean;
  readonly path?: string;
  readonly host?: string;
}

/** Resolves with the answer to a GET, or with undefined if there is none. */
export function probe(port: number, { tls = false, path = '/', host = 'bench.example' }: ProbeOptions = {}): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, path, agent: false, headers: { host }, timeout: LIMIT_MS };
    const request = tls ? requestHttps({ ...options, rejectUnauthorized: false, servername: host }) : requestHttp(options);
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
    request.on('response', (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => (bytes += chunk.length));
      response.on('error', () => resolve(undefined));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, bytes }));
    });
    request.end();
  });
}

/** For waiting: true when any answer comes, else undefined. */
export async function answers(port: number, options: ProbeOptions = {}): Promise<true | undefined> {
  return (await probe(port, options)) === undefined ? undefined : true;
}

/** Resolves with whether a second TLS connection was resumed with what the first was given: a ticket or a session id. */
export async function resumes(port: number): Promise<boolean> {
  const first = await tlsConnection(port, undefined);
  const session = await new Promise<Buffer>((resolve, reject) => {
    first.once('session', resolve);
    setTimeout(() => reject(new Error('no session to resume')), LIMIT_MS).unref();
    // TLS 1.3 sends it after the handshake, some servers with their first answer.
    first.write('GET / HTTP/1.1\r\nhost: bench.example\r\n\r\n');
  }).finally(() => first.destroy());
  const second = await tlsConnection(port, session);
  const reused = second.isSessionReused();
  second.destroy();
  return reused;
}

function tlsConnection(port: number, session: Buffer | undefined): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', port, servername: 'bench.example', rejectUnauthorized: false, ...(session === undefined ? {} : { session }) });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('secureConnect', () => resolve(socket));
  });
}

/** What became of one unary gRPC call with an empty message: `ok`, or what was wrong with it. */
export function probeGrpc(port: number): Promise<string> {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, servername: 'bench.example' });
  return new Promise<string>((resolve) => {
    session.on('error', (error) => resolve(error.message));
    session.setTimeout(LIMIT_MS, () => resolve('no answer'));
    const stream = session.request({ ':method': 'POST', ':path': '/bench.Echo/Unary', ':authority': 'bench.example', 'content-type': 'application/grpc', te: 'trailers' });
    let status = 0;
    let code: unknown;
    stream.on('response', (fields) => {
      status = fields[':status'] ?? 0;
      code = fields['grpc-status'];
    });
    stream.on('trailers', (fields) => (code = fields['grpc-status']));
    stream.on('error', (error: Error) => resolve(error.message));
    stream.on('close', () => resolve(status === 200 && code === '0' ? 'ok' : `status ${status}, grpc-status ${String(code)}`));
    stream.resume();
    stream.end(Buffer.alloc(5));
  }).finally(() => session.destroy());
}
