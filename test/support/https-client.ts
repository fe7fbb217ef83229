// A TLS client for tests that sends one request over a connection of its own, in HTTP/1.1 or HTTP/2, and may name one host in
// the handshake and another one in the request.
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:tls';
import type { ConnectionOptions, PeerCertificate } from 'node:tls';
import type { Identity } from './pki.ts';

export interface HttpsAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Of the server's certificate. */
  readonly cn: string;
  readonly protocol: string;
  readonly resumed: boolean;
}

export interface HttpsRequest extends ConnectionOptions {
  readonly path?: string;
  /** Host of the request; else the one of the handshake. */
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly client?: Identity;
  readonly version?: '1.1' | '2';
}

/** Rejects if there is no answer. */
export function ask(port: number, servername: string, request: HttpsRequest = {}): Promise<HttpsAnswer> {
  return request.version === '2' ? askHttp2(port, servername, request) : askHttp1(port, servername, request);
}

function optionsOf(port: number, servername: string, { path: _path, host: _host, headers: _headers, client, version, ...options }: HttpsRequest): ConnectionOptions {
  return {
    port, host: '127.0.0.1', servername, rejectUnauthorized: false, ALPNProtocols: [version === '2' ? 'h2' : 'http/1.1'],
    ...(client !== undefined && { cert: client.chainPem === '' ? client.certPem : client.chainPem, key: client.keyPem }),
    ...options,
  };
}

function askHttp1(port: number, servername: string, request: HttpsRequest): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    const fields = Object.entries({ host: request.host ?? servername, connection: 'close', ...request.headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    let facts = { cn: '', protocol: '', resumed: false };
    const socket = connect(optionsOf(port, servername, request), () => {
      facts = { cn: cnOf(socket.getPeerCertificate()), protocol: socket.getProtocol() ?? '', resumed: socket.isSessionReused() };
      socket.write(`GET ${request.path ?? '/'} HTTP/1.1\r\n${fields.join('')}\r\n`);
    });
    let text = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      text += String(chunk);
      // Nobody ends the connection that has changed its protocol.
      if (text.startsWith('HTTP/1.1 101 ') && text.endsWith('\r\n\r\n')) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const [head = '', ...body] = text.split('\r\n\r\n');
      const [first = '', ...lines] = head.split('\r\n');
      if (!first.startsWith('HTTP/1.1 ')) return reject(new Error(`no answer: ${text}`));
      const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
      resolve({ status: Number(first.slice(9, 12)), headers, body: body.join('\r\n\r\n'), ...facts });
    });
  });
}

function askHttp2(port: number, servername: string, request: HttpsRequest): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(optionsOf(port, servername, request));
    socket.on('error', reject);
    const session = connectHttp2(`https://${servername}`, { createConnection: () => socket });
    session.on('error', reject);
    const stream = session.request({ ':path': request.path ?? '/', ':authority': request.host ?? servername, ...request.headers });
    stream.on('error', reject);
    stream.on('response', (fields) => {
      let body = '';
      stream.setEncoding('latin1').on('data', (chunk) => (body += String(chunk)));
      stream.on('end', () => {
        const headers = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
        resolve({ status: Number(fields[':status']), headers, body, cn: cnOf(socket.getPeerCertificate()), protocol: socket.getProtocol() ?? '', resumed: socket.isSessionReused() });
        session.destroy();
      });
    });
  });
}

function cnOf(certificate: PeerCertificate): string {
  return String(certificate.subject?.CN ?? '');
}
