// Who listens on a port of this machine and whose the connections to it are, as the kernel tells it
// (https://docs.kernel.org/networking/proc_net_tcp.html). IPv4 alone.
import { closeSync, openSync, readFileSync, readSync, readdirSync, readlinkSync } from 'node:fs';

const TABLE = '/proc/net/tcp';
/** The table begins with the sockets that listen, and can be long behind them: connections that have just ended are in it. */
const HEAD_BYTES = 65_536;

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

/** How many sockets listen on the port: each worker has one of its own. */
export function listening(port: number): number {
  const file = openSync(TABLE, 'r');
  try {
    const buffer = Buffer.allocUnsafe(HEAD_BYTES);
    let length = 0;
    for (let read = 1; read > 0 && length < HEAD_BYTES; length += read) read = readSync(file, buffer, length, HEAD_BYTES - length, null);
    const local = `:${hex(port)} 00000000:0000 0A `;
    return buffer.toString('latin1', 0, length).split('\n').filter((line) => line.includes(local)).length;
  } finally {
    closeSync(file);
  }
}

/** For every connection to the listening port that one of the processes has accepted: the client's port, and that process. */
export function ownersOf(port: number, pids: readonly number[]): ReadonlyMap<number, number> {
  const clients = new Map<string, number>();
  const line = new RegExp(`^ *\\d+: [0-9A-F]+:${hex(port)} [0-9A-F]+:([0-9A-F]{4}) (?!0A)`);
  for (const text of readFileSync(TABLE, 'latin1').split('\n')) {
    const client = line.exec(text)?.[1];
    if (client !== undefined) clients.set(`socket:[${text.trim().split(/\s+/)[9]}]`, Number.parseInt(client, 16));
  }
  const owners = new Map<number, number>();
  for (const pid of pids) {
    for (const link of descriptorsOf(pid)) {
      const client = clients.get(link);
      if (client !== undefined) owners.set(client, pid);
    }
  }
  return owners;
}

/** What the descriptors of a process are; empty once it is gone. */
function descriptorsOf(pid: number): readonly string[] {
  const dir = `/proc/${pid}/fd`;
  const linkOf = (fd: string): string => {
    try {
      return readlinkSync(`${dir}/${fd}`);
    } catch {
      return '';
    }
  };
  try {
    return readdirSync(dir).map(linkOf);
  } catch {
    return [];
  }
}
