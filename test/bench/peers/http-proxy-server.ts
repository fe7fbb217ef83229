// The peer `http-proxy`: the npm package as its own documentation shows it, with an agent that keeps connections. Arguments:
// UPSTREAM-PORT CHAIN-FILE KEY-FILE. Prints its two ports, for HTTP and HTTPS.
import { readFileSync } from 'node:fs';
import { Agent, createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import httpProxy from 'http-proxy';

const [upstream = '', chain = '', key = ''] = process.argv.slice(2);
const proxy = httpProxy.createProxyServer({ target: `http://127.0.0.1:${upstream}`, xfwd: true, agent: new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 2048 }) });
proxy.on('error', (_error, _request, response) => response.destroy());
const plain = createServer((request, response) => proxy.web(request, response));
const secure = createHttpsServer({ cert: readFileSync(chain), key: readFileSync(key) }, (request, response) => proxy.web(request, response));
for (const server of [plain, secure]) {
  server.keepAliveTimeout = 300_000;
  server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head));
}
plain.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
  secure.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => console.log((plain.address() as AddressInfo).port, (secure.address() as AddressInfo).port));
});
