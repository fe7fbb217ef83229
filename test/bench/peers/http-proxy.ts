// The npm package `http-proxy` in a server of twenty lines (http-proxy-server.ts): one process, HTTP/1.1 only, no routing.
import { fileURLToPath } from 'node:url';
import { collectGarbage } from '../run/collect-garbage.ts';
import { start, waitFor } from '../run/process.ts';
import type { Peer } from './peer.ts';

const SERVER = fileURLToPath(new URL('./http-proxy-server.ts', import.meta.url));

export const httpProxy: Peer = {
  name: 'http-proxy',
  warmUpSeconds: 4,
  async start({ upstream, certificate, cpus, env }) {
    const program = start(process.execPath, [SERVER, String(upstream.port), certificate.chain, certificate.key], { cpus, ...(env === undefined ? {} : { env }) });
    const [, http, https] = await waitFor(program, 'http-proxy', () => /^(\d+) (\d+)\n/.exec(program.output()) ?? undefined);
    return { pid: program.pid, httpPort: Number(http), httpsPort: Number(https), collectGarbage: () => collectGarbage(program.pid, program.errors), stop: () => program.stop() };
  },
};
