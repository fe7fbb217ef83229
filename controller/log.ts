// The log of the primary process: JSON lines on standard error, written without waiting for their reader. What users and
// objects are called goes in as fields or as text that pino escapes; keys and certificates never do.
import { pino } from 'pino';
import type { Logger, LoggerOptions } from 'pino';
import sonic from 'sonic-boom';
import type { LogLevel } from './settings.ts';

const STANDARD_ERROR = 2;
/** What may wait for standard error, in bytes. */
const MAX_WAITING = 1024 * 1024;

export interface Log extends Logger {
  /** Hands all lines to the system; for the last moment of the process. */
  readonly finish: () => void;
}

/** Lines such as `{"level":"info","time":"2026-…Z","msg":"…"}`. */
export function createLog(level: LogLevel): Log {
  const destination = new sonic.SonicBoom({ fd: STANDARD_ERROR, maxLength: MAX_WAITING });
  // A full disk, or a terminal that is gone: what waits is tried again with the next line, until it is too much. If nobody listened, the error would
  // be thrown, whoever catches it would log it, and so on for ever.
  destination.on('error', () => undefined);
  const finish = (): void => {
    try {
      destination.flushSync();
    } catch {
      // Not open yet, or its reader is gone: then nobody is left to read the line.
    }
  };
  return Object.assign(pino(optionsOf(level), destination), { finish });
}

/** A log whose lines somebody else prints. */
export function createLogFor(level: LogLevel, write: (line: string) => void): Log {
  return Object.assign(pino(optionsOf(level), { write }), { finish: () => undefined });
}

function optionsOf(level: LogLevel): LoggerOptions {
  return { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } };
}
