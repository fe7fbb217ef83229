// An endpoint whose connections are never established: a listener in a stopped process, with its backlog filled up, so
// that the kernel drops every further SYN.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import type { Endpoint } from '../../proxy/table/cluster.ts';
import { endpointAt } from './endpoint-raw.ts';

const LISTENER = `const s = require('node:net').createServer(); s.listen(0, '127.0.0.1', 1, () => process.stdout.write(s.address().port + '\\n'))`;

export async function blackHole(): Promise<{ endpoint: Endpoint; close(): Promise<void> }> {
  const child = spawn(process.execPath, ['-e', LISTENER], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(line.toString());
  child.kill('SIGSTOP');
  const fillers: net.Socket[] = [];
  for (let established = true; established; ) {
    const socket = net.connect(port, '127.0.0.1').on('error', () => {});
    fillers.push(socket);
    established = await Promise.race([once(socket, 'connect').then(() => true), new Promise<boolean>((resolve) => setTimeout(resolve, 300, false))]);
  }
  return {
    endpoint: endpointAt(port),
    async close() {
      for (const socket of fillers) socket.destroy();
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}
