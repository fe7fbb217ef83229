// Parts that cases are put together from: load by wrk, and checks by one request.
import { wrk } from '../run/generators.ts';
import type { Counts, WrkOrder } from '../run/generators.ts';
import { probe } from '../run/probe.ts';
import type { ProbeOptions } from '../run/probe.ts';
import type { LoadCase } from './turns.ts';

/** A check by one request: its answer must have so many bytes. */
export function expecting(bytes: number, options: ProbeOptions = {}): LoadCase['check'] {
  return async (target) => {
    const answer = await probe(options.tls === true ? target.httpsPort : target.httpPort, options);
    if (answer === undefined) return 'it gave no answer';
    return answer.status === 200 && answer.bytes === bytes ? undefined : `it answered ${answer.status} with ${answer.bytes} bytes`;
  };
}

/** As much as wrk can send. */
export function byWrk(order: Omit<WrkOrder, 'port' | 'seconds'>): LoadCase['load'] {
  return (target, seconds, cpus) => wrk({ ...order, port: order.tls ? target.httpsPort : target.httpPort, seconds }, cpus);
}

/** Counts whole bodies by their bytes: with large ones, those on their way at the end would distort the figures. */
export function bodies(order: Omit<WrkOrder, 'port' | 'seconds'>, bytes: number): LoadCase['load'] {
  return async (target, seconds, cpus): Promise<Counts> => {
    const counts = await byWrk(order)(target, seconds, cpus);
    return { ...counts, requests: counts.bytes / bytes };
  };
}
