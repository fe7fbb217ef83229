// What the system says of the processor that another process had (proc_pid_stat(5)): one that is let run and does not answer is stuck,
// one that is not let run cannot answer. Pods with a CPU limit, and crowded nodes, hold processes up for seconds.
import { readFileSync, readdirSync } from 'node:fs';

export interface ProcessorUse {
  /** Of all its threads since its start. */
  readonly usedMs: number;
  /** Some thread waits for a processor, or for a disk or swapped memory; false: all of them sleep, or are stopped. */
  readonly wantsToRun: boolean;
}

/** USER_HZ: 100 a second on every machine that Node runs on. */
const TICK_MS = 10;

/** Undefined: it is gone, or this is no Linux. */
export function processorUse(pid: number): ProcessorUse | undefined {
  try {
    const [, , , , , , , , , , , user, system] = fieldsOf(`/proc/${pid}/stat`);
    const threads = readdirSync(`/proc/${pid}/task`);
    return { usedMs: (Number(user) + Number(system)) * TICK_MS, wantsToRun: threads.some((thread) => wantsToRun(`/proc/${pid}/task/${thread}/stat`)) };
  } catch {
    return undefined;
  }
}

/** Since `before`, when it said something last or soon after, it could have said something again: `enoughMs` are what that takes at most. Also where nothing is known. */
export function hadItsChance(enoughMs: number, before: ProcessorUse | undefined, now: ProcessorUse | undefined): boolean {
  return before === undefined || now === undefined || !now.wantsToRun || now.usedMs - before.usedMs >= enoughMs;
}

function wantsToRun(file: string): boolean {
  try {
    return /^[RD]$/.test(fieldsOf(file)[0] ?? '');
  } catch {
    // The thread has ended meanwhile.
    return false;
  }
}

/** From the state on: the name before it may hold anything, also blanks and brackets. */
function fieldsOf(file: string): readonly string[] {
  const text = readFileSync(file, 'latin1');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}
