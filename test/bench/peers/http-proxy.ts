// The npm package `http-proxy` in a server of twenty lines (http-proxy-server.ts): one process, HTTP/1.1 only, no routing.
import { fileURLToPath } from 'node:url';
import { start, waitFor } from '../run/process.ts';
import type { Peer } from './peer.ts';

const SERVER = fileURLToPath(new URL('./http-proxy-server.ts', import.meta.url));

export const httpProxy: Peer = {
  name: 'http-proxy',
  async start({ upstream, certificate, cpus }) {
    const program = start(process.execPath, [SERVER, String(upstream.port), certificate.chain, certificate.key], { cpus });
    const [, http, https] = await waitFor(program, 'http-proxy', () => /^(\d+) (\d+)\n/.exec(program.output()) ?? undefined);
    return { pid: program.pid, httpPort: Number(http), httpsPort: Number(https), stop: () => program.stop() };
  },
};
