// The endpoint behind every proxy: one nginx process that answers from memory or with sendfile, so that the proxy is what is
// measured. HTTP/1.1 on two ports (the second for changes of endpoints), and HTTP/2 without TLS on a third, which answers a
// gRPC call with an empty message and its trailers.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, start, waitFor } from '../run/process.ts';
import type { Program } from '../run/process.ts';
import { nginxFrame } from '../peers/nginx.ts';
import { answers } from '../run/probe.ts';

/** gRPC's frame of a message without bytes, not compressed. */
const EMPTY_MESSAGE = '\0\0\0\0\0';

export interface Backend {
  readonly port: number;
  readonly secondPort: number;
  readonly grpcPort: number;
  stop(): Promise<void>;
}

/** `folder` is the backend's own. */
export async function startBackend(folder: string, cpus: string | undefined): Promise<Backend> {
  mkdirSync(join(folder, 'files'), { recursive: true });
  writeFileSync(join(folder, 'files/64k'), Buffer.alloc(64 * 1024, 'x'));
  writeFileSync(join(folder, 'files/1m'), Buffer.alloc(1024 * 1024, 'x'));
  writeFileSync(join(folder, 'files/10m'), Buffer.alloc(10 * 1024 * 1024, 'x'));
  const [port, secondPort, grpcPort] = await Promise.all([freePort(), freePort(), freePort()]);
  const small = 'x'.repeat(1024);
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, nginxFrame(folder, `
  sendfile on;
  tcp_nopush on;
  open_file_cache max=16;
  client_max_body_size 0;
  types {}
  default_type application/octet-stream;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    listen 127.0.0.1:${secondPort} backlog=4096;
    location / { return 200 "${small}"; }
    location /files/ { root ${folder}; }
  }
  server {
    listen 127.0.0.1:${grpcPort} http2;
    location / {
      default_type application/grpc;
      add_trailer grpc-status 0;
      return 200 "${EMPTY_MESSAGE}";
    }
  }`));
  const program: Program = start('nginx', ['-p', folder, '-c', file], { cpus });
  await waitFor(program, 'the endpoint', () => answers(port));
  return { port, secondPort, grpcPort, stop: () => program.stop() };
}
