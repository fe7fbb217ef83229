// An application in a process of its own, for tests that measure what a worker can serve at its best: whatever asks, as long
// as it asks without a body, gets the same small page, at next to no cost. It tells its port over IPC.
import net from 'node:net';

const PAGE = '<!doctype html><title>page</title>'.padEnd(512, ' ');
const ANSWER = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: ${PAGE.length}\r\n\r\n${PAGE}`);
const END = '\r\n\r\n';

const server = net.createServer({ noDelay: true }, (socket) => {
  let rest = '';
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    const heads = (rest + chunk.toString('latin1')).split(END);
    rest = heads.pop() as string;
    if (heads.length === 1) socket.write(ANSWER);
    else if (heads.length > 1) socket.write(Buffer.concat(heads.map(() => ANSWER)));
  });
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as net.AddressInfo).port }));
process.on('disconnect', () => process.exit(0));
