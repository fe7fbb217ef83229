// What processes cost, as the kernel counts it: processor time from /proc/PID/stat, memory from /proc/PID/smaps_rollup.
// A proxy is all of its processes: everything below is summed over a process and its descendants.
import { readFileSync, readdirSync } from 'node:fs';

/** USER_HZ: Linux shows times in /proc in hundredths of a second on every architecture that Node runs on. */
const TICK_US = 10_000;

export interface Cpu {
  /** Microseconds. */
  readonly user: number;
  readonly system: number;
}

/** The process and all of its descendants that are alive. */
export function processTree(pid: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = Number(fieldsOf(Number(name))?.[1] ?? 0);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const tree = [pid];
  for (const member of tree) tree.push(...(children.get(member) ?? []));
  return tree;
}

/** Processor time of a process and its descendants until now; what descendants that have ended took is in their parent's. */
export function cpuOf(pid: number): Cpu {
  let user = 0;
  let system = 0;
  for (const member of processTree(pid)) {
    const fields = fieldsOf(member);
    if (fields === undefined) continue;
    user += Number(fields[11]) + Number(fields[13]);
    system += Number(fields[12]) + Number(fields[14]);
  }
  return { user: user * TICK_US, system: system * TICK_US };
}

/** Proportional set size of a process and its descendants in bytes: private memory, and a fair part of what is shared. */
export function memoryOf(pid: number): number {
  let kilobytes = 0;
  for (const member of processTree(pid)) {
    const text = read(`/proc/${member}/smaps_rollup`);
    kilobytes += Number(/^Pss:\s+(\d+)/m.exec(text ?? '')?.[1] ?? 0);
  }
  return kilobytes * 1024;
}

/** Open files and sockets of a process and its descendants. */
export function openFilesOf(pid: number): number {
  return processTree(pid).reduce((sum, member) => sum + readdirSync(`/proc/${member}/fd`).length, 0);
}

/** Microseconds that processors were not idle, all of them or those that taskset's list names; time stolen by the host counts. */
export function busyTime(cpus: string | undefined): number {
  const names = cpus === undefined ? ['cpu'] : cpus.split(',').map((cpu) => `cpu${cpu}`);
  let ticks = 0;
  for (const line of (read('/proc/stat') ?? '').split('\n')) {
    const [name = '', ...values] = line.split(/\s+/);
    if (!names.includes(name)) continue;
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = values.map(Number);
    ticks += user + nice + system + irq + softirq + steal;
  }
  return ticks * TICK_US;
}

/** Fields of /proc/PID/stat from `state` on, which is [0]: the name before them may hold anything. */
function fieldsOf(pid: number): readonly string[] | undefined {
  const text = read(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
