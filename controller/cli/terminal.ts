// Whether the terminal that a process was started in has been closed since: to the system, a terminal that hung up is none any more.
import { isatty } from 'node:tty';

/** To be called while the terminal is there, if there is one; what it returns says whether it is gone. */
export function watchTerminal(): () => boolean {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  return () => terminals.some((fd) => !isatty(fd));
}
