// Where a decoder stands in an object, and what it found wrong there. The path is one array that grows and shrinks with the
// descent and becomes text only for a Problem, so that sound objects cost no string building. Every reader that refuses a
// value gives back a stand-in of the right type: reading goes on, and one pass collects all Problems of an object.
import type { Problem } from '../model/problem.ts';
import type { Origin } from '../../proxy/table/origin.ts';

/** Past this, the Problems of one object are only counted: nobody reads them, and a hostile object could have millions. */
const MAX_PROBLEMS = 50;
const MAX_SHOWN = 100;

export class Reading {
  readonly #origin: () => Origin;
  readonly #secret: boolean;
  readonly #path: (string | number)[] = [];
  readonly #problems: Problem[] = [];
  #uncounted = 0;

  /** `origin` is asked only if there is a Problem. `secret`: values are described by type and length alone and never quoted. */
  constructor(origin: () => Origin, secret = false) {
    this.#origin = origin;
    this.#secret = secret;
  }

  get failed(): boolean {
    return this.#problems.length > 0;
  }

  /** Goes down to a field (by name) or a list element (by index); `leave` goes up again. */
  enter(step: string | number): void {
    this.#path.push(step);
  }

  /** Goes down to an entry of a map whose keys the user chose. Kubernetes writes such fields as `data[tls.crt]`. What cannot be a key of a Secret may be its data. */
  enterKey(key: string): void {
    this.#path.push(this.#secret && !/^[-./\w]*$/.test(key) ? '[?]' : `[${plain(key)}]`);
  }

  leave(): void {
    this.#path.pop();
  }

  /** Notes that `found` is not what is `allowed` (worded to follow "must be") here, and gives `standIn` back. */
  refuse<T>(found: unknown, allowed: string, standIn: T): T {
    return this.refuseFor(found === undefined ? `missing; it must be ${allowed}` : `found ${this.#show(found)}; it must be ${allowed}`, standIn);
  }

  /** Notes a Problem here in words of its own, which must quote nothing of a Secret. */
  refuseFor<T>(message: string, standIn: T, reason = 'InvalidObject'): T {
    if (this.#problems.length >= MAX_PROBLEMS) {
      this.#uncounted++;
      return standIn;
    }
    const field = this.#field();
    const origin = field === '' ? this.#origin() : { ...this.#origin(), field };
    this.#problems.push({ severity: 'error', reason, origin, message, effect: 'ObjectRefused' });
    return standIn;
  }

  /** All that was refused. */
  problems(): readonly Problem[] {
    if (this.#uncounted === 0) return this.#problems;
    const message = `${this.#uncounted} more problems of this object are not listed`;
    return [...this.#problems, { severity: 'error', reason: 'InvalidObject', origin: this.#origin(), message, effect: 'ObjectRefused' }];
  }

  #field(): string {
    let field = '';
    for (const step of this.#path) {
      if (typeof step === 'number') field += `[${step}]`;
      else field += step.startsWith('[') || field === '' ? step : `.${step}`;
    }
    return field;
  }

  #show(found: unknown): string {
    if (typeof found === 'string') return this.#secret ? `a string of ${found.length} characters` : quoted(found);
    if (Array.isArray(found)) return 'a list';
    if (found === null) return 'null';
    if (typeof found === 'object') return 'a mapping';
    return this.#secret ? `a ${typeof found}` : String(found).slice(0, MAX_SHOWN);
  }
}

/** A string as it may stand in a message: in quotes, at most 100 characters of it, with nothing that moves a cursor or turns the writing direction. */
export function quoted(text: string): string {
  return `"${plain(text)}"`;
}

/** `quoted` without the quotes. */
export function plain(text: string): string {
  const cut = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN - 1)}…` : text;
  const escaped = JSON.stringify(cut).slice(1, -1);
  return escaped.replace(/[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
