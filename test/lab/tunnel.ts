// A local path for clients that bring their own connections: what connects to the socket file goes on from a namespace.
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import type { Host } from './host.ts';
import type { Target } from './peers/program.ts';

let tunnels = 0;

export interface Tunnel {
  /** Path of the socket file. */
  readonly path: string;
  close(): void;
}

/** Connections to `path` become connections from the host to the target. */
export async function openTunnel(host: Host, target: Target): Promise<Tunnel> {
  tunnels += 1;
  const path = `/run/lab/tunnel-${process.pid}-${tunnels}`;
  const server: Server = createServer((near) => {
    near.on('error', () => undefined);
    host.connect(target.port, target.address).then(
      (far) => {
        far.on('error', () => near.destroy());
        near.on('close', () => far.destroy());
        near.pipe(far).pipe(near);
      },
      () => near.destroy(),
    );
  });
  await new Promise((resolve) => server.listen(path, () => resolve(undefined)));
  return { path, close: () => server.close() };
}
