// Captures packets with tcpdump, for questions that a count cannot answer: in which order, and with what in them.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tool } from './tools.ts';

/** Whole packets, which is the default, would leave room for eight of them in the kernel's buffer. */
const NO_LOSS = ['-s', '256', '-B', '8192'];

export interface Packet {
  /** Seconds since 1970. */
  readonly time: number;
  readonly link: string;
  /** `In`, `Out`, or another of tcpdump's words. */
  readonly direction: string;
  /** `address.port` */
  readonly from: string;
  readonly to: string;
  /** TCP flags in tcpdump's letters: `S`, `S.`, `.`, `P.`, `F.`, `R`. Empty if it is no TCP. */
  readonly flags: string;
  /** Bytes of payload. */
  readonly length: number;
  readonly line: string;
}

/** All links; IP packets as tcpdump's filter has it. */
export class Capture {
  readonly #child: ChildProcess;
  #text = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#text += text));
  }

  /** Resolves when tcpdump listens. */
  static async start(namespacePath: string, filter: string): Promise<Capture> {
    const child = spawn(tool('nsenter'), [`--net=${namespacePath}`, tool('tcpdump'), '-i', 'any', '-nn', '-tt', '-l', '--immediate-mode', ...NO_LOSS, filter], { stdio: ['ignore', 'pipe', 'pipe'] });
    const capture = new Capture(child);
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.includes('listening on')) resolve();
      });
      child.once('close', () => reject(new Error(`tcpdump: ${said}`)));
    });
    return capture;
  }

  /** Ends the capture and gives what was seen, in order. */
  async stop(): Promise<Packet[]> {
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGINT');
    await closed;
    return this.#text.split('\n').flatMap(parsePacket);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** One line of `tcpdump -i any -nn -tt`; nothing if it is no IP packet. */
export function parsePacket(line: string): Packet[] {
  const match = /^(?<time>[\d.]+) (?<link>\S+)\s+(?<direction>\w+)\s+IP6? (?<from>\S+) > (?<to>\S+): (?<rest>.*)$/.exec(line);
  if (match?.groups === undefined) return [];
  const { time = '', link = '', direction = '', from = '', to = '', rest = '' } = match.groups;
  const flags = /^Flags \[(?<flags>[^\]]*)\]/.exec(rest)?.groups?.['flags'] ?? '';
  const length = Number(/length (?<length>\d+)/.exec(rest)?.groups?.['length'] ?? 0);
  return [{ time: Number(time), link, direction, from, to, flags, length, line }];
}
