// Which processors this process may use: a container may have some of the machine's.
import { readFileSync } from 'node:fs';

/** Their numbers, as taskset takes them. */
export function processors(): readonly string[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  return list.split(',').flatMap((part) => {
    const [from = 0, to = from] = part.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, nth) => String(from + nth));
  });
}
