// The end of the test API server: a connection that is reset at the wrong moment would keep the process of a test file from ending.
import test from 'ava';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const SERVER = new URL('../support/api-server/server.ts', import.meta.url).href;
const LIMIT_MS = 30_000;

/** A server that stops while a connection is ending: the end of the TLSSocket is on its way, of which the socket under it knows nothing. */
const PROGRAM = `
  import { subscribe } from 'node:diagnostics_channel';
  import { get } from 'node:https';
  import { ApiServer } from ${JSON.stringify(SERVER)};
  const server = new ApiServer();
  await server.start();
  subscribe('http.server.request.start', ({ socket }) => {
    socket.end();
    void server.stop();
  });
  get(\`\${server.url}/healthz\`, { ca: server.caPem }).on('error', () => undefined);
`;

test('a process ends though its server was stopped while a connection was ending', async (t) => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM], { cwd: fileURLToPath(new URL('.', import.meta.url)), stdio: ['ignore', 'inherit', 'inherit'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const how = await new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
  clearTimeout(timer);
  t.is(how, 0);
});
