// Pods for tests: small applications that answer with their own name, on an address that a real API server allows for pods.
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { ExecutionContext } from 'ava';

/** An own address of this machine: packets to it never leave it. Real servers refuse loopback addresses in EndpointSlices; without any other one, those tests cannot run. */
export const POD_ADDRESS = Object.values(networkInterfaces()).flat().find((entry) => entry !== undefined && entry.family === 'IPv4' && !entry.internal)?.address ?? '127.0.0.1';

export interface Pod {
  readonly address: string;
  readonly port: number;
  /** Ends it at once, with whatever is open. */
  kill(): void;
}

/** Answers `name METHOD target`, or as `listener` does. Ends with the test. */
export async function startPod(t: ExecutionContext, name: string, listener?: RequestListener, port = 0): Promise<Pod> {
  const server = createServer({ keepAliveTimeout: 60_000 }, listener ?? ((request, response) => response.end(`${name} ${request.method} ${request.url}`)));
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, POD_ADDRESS, resolve));
  const kill = (): void => {
    server.close();
    server.closeAllConnections();
  };
  t.teardown(kill);
  return { address: POD_ADDRESS, port: (server.address() as AddressInfo).port, kill };
}
