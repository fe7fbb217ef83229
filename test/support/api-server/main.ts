// The test API server as a process of its own: `node test/support/api-server/main.ts [--port N] [--kubeconfig FILE]`. When it
// listens it writes a kubeconfig for its administrator and prints one JSON line; it ends with SIGTERM or SIGINT. Faults:
// one JSON FaultRule per line of standard input, and an empty line takes all of them away.
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import type { FaultRule } from './faults.ts';
import { kubeconfig } from './kubeconfig.ts';
import { ADMIN_TOKEN, ApiServer } from './server.ts';

const { values } = parseArgs({ options: { port: { type: 'string', default: '0' }, kubeconfig: { type: 'string' } } });
const server = new ApiServer({ port: Number(values.port) });
await server.start();
if (values.kubeconfig !== undefined) writeFileSync(values.kubeconfig, kubeconfig({ url: server.url, caPem: server.caPem, token: ADMIN_TOKEN }), { mode: 0o600 });
console.log(JSON.stringify({ msg: 'ready', url: server.url, kubeconfig: values.kubeconfig }));

const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  if (line.trim() === '') server.faults.clear();
  else server.faults.add(JSON.parse(line) as FaultRule);
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    input.close();
    void server.stop();
  });
}
