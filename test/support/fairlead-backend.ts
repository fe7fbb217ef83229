// A small application for end-to-end tests: answers every request with its own name, the method and the target.
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';

/** Its port on 127.0.0.1; it ends with the test. `listener` takes the place of the answer. */
export async function startBackend(t: ExecutionContext, name: string, listener?: RequestListener): Promise<number> {
  const server = createServer(listener ?? ((request, response) => response.end(`${name} ${request.method} ${request.url}`)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
