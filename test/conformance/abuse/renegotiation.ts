// TLS renegotiation (RFC 5746), which TLS 1.2 still has: each one costs the server a handshake, and the client next to nothing.
import { spawn } from 'node:child_process';

/** Asks `openssl s_client` to renegotiate `times` times on one connection. Gives how often the server did, and whether it closed. */
export async function renegotiate(port: number, times: number): Promise<{ readonly done: number; readonly output: string }> {
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_2', '-servername', 'shop.example.com', '-msg'], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => undefined);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('latin1').on('data', (text: string) => (output += text));
  const ended = new Promise((resolve) => child.once('close', resolve));
  const timer = setInterval(() => child.stdin.write('R\n'), 50);
  const last = setTimeout(() => child.kill('SIGKILL'), times * 50 + 2_000);
  await ended;
  clearInterval(timer);
  clearTimeout(last);
  // Every handshake that the server takes part in says so with one message.
  return { done: (output.match(/<<< .*ServerHelloDone/g) ?? []).length - 1, output };
}
