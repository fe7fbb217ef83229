// What reflectors have to say, for the log: the first time at once, then once a minute for as long as it goes on.
import type { Note } from './reflector.ts';
import type { Collection } from './resources.ts';
import { describe } from './resources.ts';
import { Seldom } from './seldom.ts';

/** As much of a logger as the Kubernetes side needs. */
export interface KubeLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const WORDS: { readonly [T in Note['type']]: { readonly level: keyof KubeLog; readonly text: string } } = {
  failed: { level: 'warn', text: 'the Kubernetes API does not answer as it should; what is known stays in force' },
  denied: { level: 'error', text: 'Fairlead may not read this kind of object' },
  allowed: { level: 'info', text: 'Fairlead may read this kind of object now' },
  relist: { level: 'warn', text: 'a watch could not be understood; everything is listed again' },
  shrunk: { level: 'warn', text: 'a list lost more than half of the objects; it counts only if a second one says so, too' },
  settled: { level: 'info', text: 'a second list decided what is gone' },
  reverted: { level: 'warn', text: 'the Kubernetes API lost its past; everything is listed again' },
  bug: { level: 'error', text: 'a bug: a change could not be handled' },
};

export class NoteLog {
  readonly #log: KubeLog;
  readonly #seldom = new Seldom();

  constructor(log: KubeLog) {
    this.#log = log;
  }

  write(collection: Collection, { type, text }: Note): void {
    // Reasons of the same type replace each other, and of one kind one line is enough, however many names are watched.
    const more = this.#seldom.pass(`${type} ${collection.kind} ${collection.namespace}`);
    if (more === undefined) return;
    const { level, text: words } = WORDS[type];
    this.#log[level]({ objects: describe(collection), ...(text === '' ? {} : { reason: text }), ...more }, words);
  }
}
