// The flags of `npm run bench`, and of its two sisters.
import { parseArgs } from 'node:util';
import { PEER_NAMES } from './peers/peer.ts';
import type { PeerName } from './peers/peer.ts';

export interface BenchOptions {
  /** Names of cases; undefined: all. */
  readonly only: readonly string[] | undefined;
  readonly peers: readonly PeerName[];
  readonly runs: number;
  /** Of load in each turn. */
  readonly seconds: number;
  /** Write RESULTS.md and results.svg. */
  readonly write: boolean;
}

const MANY = 1000;

/** Ends the process with one line for people if a flag is wrong. */
export function readOptions(args: readonly string[], cases: readonly string[]): BenchOptions {
  try {
    return read(args, cases);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(2);
  }
}

function read(args: readonly string[], cases: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: { only: { type: 'string' }, peers: { type: 'string' }, runs: { type: 'string' }, seconds: { type: 'string' }, write: { type: 'boolean' } },
  });
  const only = list('--only', values.only, cases);
  const peers = list('--peers', values.peers, PEER_NAMES) ?? PEER_NAMES;
  return { only, peers, runs: count('--runs', values.runs, 5), seconds: count('--seconds', values.seconds, 2), write: values.write ?? (only === undefined && values.peers === undefined) };
}

function list<T extends string>(flag: string, text: string | undefined, allowed: readonly T[]): readonly T[] | undefined {
  return text?.split(',').map((name) => {
    const known = allowed.find((each) => each === name);
    if (known === undefined) throw new Error(`${flag} ${name}: there is no such name; allowed: ${allowed.join(', ')}`);
    return known;
  });
}

function count(flag: string, text: string | undefined, byDefault: number): number {
  if (text === undefined) return byDefault;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > MANY) throw new Error(`${flag} ${text}: allowed: a whole number from 1 to ${MANY}`);
  return value;
}
