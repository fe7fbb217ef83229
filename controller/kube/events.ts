// Tells Problems as Events on the objects at fault, so that `kubectl describe` shows them: by the leader alone, ten a second at
// most. An Event that is there already (from another replica, or before a restart) is counted up instead of written twice.
// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ (core/v1, which describe and get show alike)
import type { Origin } from '../../proxy/table/origin.ts';
import type { Problem } from '../model/problem.ts';
import { ApiError, errorText, isConflict, isForbidden, isNotFound } from './api-error.ts';
import type { KubeClient } from './client.ts';
import { EventBook } from './event-book.ts';
import type { DueEvent } from './event-book.ts';
import { sleep } from './gate.ts';
import type { KubeLog } from './notes.ts';
import type { Kind } from './objects.ts';
import type { OwnPod } from './own-pods.ts';
import { apiVersion, isNamespaced } from './resources.ts';
import { Seldom } from './seldom.ts';
import { KINDS } from './state.ts';

export interface EventOptions {
  readonly client: KubeClient;
  readonly log: KubeLog;
  /** Who this replica is. */
  readonly identity: string;
  /** What the API itself does wrong is told on this pod. */
  readonly own: OwnPod;
  isLeader(): boolean;
  /** Empty: there is no such object. */
  uidOf(origin: Origin): string;
  /** Between two Events; 100 ms. */
  readonly paceMs?: number;
}

/** The object that an Event is about. */
interface Subject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid: string;
}

const RETRY_MS = 5_000;
/** Until the next attempt in a namespace where it is forbidden. */
const DENIED_MS = 60_000;
const MAX_MESSAGE = 1000;
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const KNOWN_KINDS: ReadonlySet<string> = new Set(KINDS);

export class EventWriter {
  readonly #options: EventOptions;
  readonly #book = new EventBook();
  readonly #abort = new AbortController();
  readonly #seldom = new Seldom();
  /** Namespaces in which it was forbidden to write Events, and until when nobody tries again. */
  readonly #denied = new Map<string, number>();
  readonly #may = ({ origin }: Problem): boolean => performance.now() >= (this.#denied.get(this.#namespaceOf(origin)) ?? 0);
  #running: Promise<void> | undefined;
  /** Events created or counted up since the start. */
  written = 0;

  constructor(options: EventOptions) {
    this.#options = options;
  }

  /** Events that wait for their turn, or for this replica to lead. */
  get waiting(): number {
    return this.#book.waiting;
  }

  /** All Problems that there are now. */
  update(problems: readonly Problem[]): void {
    this.#book.update(problems, ({ origin }) => this.#subject(origin)?.uid ?? '', performance.now());
    this.check();
  }

  /** Leadership may have changed. */
  check(): void {
    if (this.#running !== undefined || this.#abort.signal.aborted || !this.#options.isLeader() || !this.#book.isDue(this.#may)) return;
    this.#running = this.#run().catch((error: unknown) => {
      if (!this.#abort.signal.aborted) throw error;
    }).finally(() => {
      this.#running = undefined;
      this.check();
    });
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#options.isLeader()) {
      const due = this.#book.next(performance.now(), this.#may);
      if (due === undefined) return;
      const subject = this.#subject(due.problem.origin);
      // Objects that went meanwhile need no Event.
      if (subject === undefined) continue;
      let pauseMs = this.#options.paceMs ?? 100;
      try {
        await this.#tell(due, subject);
        this.written++;
      } catch (error) {
        this.#abort.signal.throwIfAborted();
        const more = this.#seldom.pass('event');
        if (more !== undefined) this.#options.log.warn({ reason: errorText(error), ...more }, 'an Event cannot be written');
        // A refusal of this very Event would be repeated for ever; anything else passes.
        if (!isRefused(error)) this.#book.again(due);
        // Where rights are missing, others need not wait.
        if (isForbidden(error)) this.#denied.set(this.#namespaceOf(due.problem.origin), performance.now() + DENIED_MS);
        else if (!isRefused(error)) pauseMs = Math.max(RETRY_MS, error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0);
      }
      await sleep(pauseMs, this.#abort.signal);
    }
  }

  async #tell({ id, problem }: DueEvent, subject: Subject): Promise<void> {
    const { client, identity } = this.#options;
    const namespace = this.#namespaceOf(problem.origin);
    const name = `${subject.name.slice(0, 230)}.${id}`;
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`;
    const now = `${new Date().toISOString().slice(0, 19)}Z`;
    const { signal } = this.#abort;
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: { ...subject, ...(problem.origin.field === undefined ? {} : { fieldPath: problem.origin.field }) },
      reason: problem.reason,
      message: messageOf(problem),
      type: 'Warning',
      source: { component: 'fairlead' },
      reportingComponent: 'fairlead.dev/ingress-controller',
      reportingInstance: identity.slice(0, 128),
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    try {
      await client.request({ method: 'POST', path, body, signal });
    } catch (error) {
      if (!isConflict(error)) throw error;
      await this.#countUp(`${path}/${encodeURIComponent(name)}`, now);
    }
  }

  async #countUp(path: string, now: string): Promise<void> {
    const { client } = this.#options;
    const { signal } = this.#abort;
    try {
      const event = await client.request({ path, signal });
      const count = (event as { count?: unknown } | undefined)?.count;
      await client.request({ method: 'PATCH', path, contentType: 'application/merge-patch+json', body: { count: typeof count === 'number' ? count + 1 : 2, lastTimestamp: now }, signal });
    } catch (error) {
      // It ran out between the two.
      if (!isNotFound(error)) throw error;
    }
  }

  /** That an Event stands in: the object's own; `default` for objects without. */
  #namespaceOf({ kind, namespace }: Origin): string {
    return kind === 'API' ? this.#options.own.namespace : namespace || 'default';
  }

  /** Undefined: there is no object to tell it on. */
  #subject(origin: Origin): Subject | undefined {
    const { own, uidOf } = this.#options;
    if (origin.kind === 'API') return own.uid === '' ? undefined : { apiVersion: 'v1', kind: 'Pod', ...own };
    if (!KNOWN_KINDS.has(origin.kind) || !SUBDOMAIN.test(origin.name)) return undefined;
    const kind = origin.kind as Kind;
    if (isNamespaced(kind) && !SUBDOMAIN.test(origin.namespace)) return undefined;
    const uid = uidOf(origin);
    return uid === '' ? undefined : { apiVersion: apiVersion(kind), kind, name: origin.name, uid, ...(origin.namespace === '' ? {} : { namespace: origin.namespace }) };
  }
}

function messageOf({ origin, message, hint }: Problem): string {
  const text = `${origin.field === undefined ? '' : `${origin.field}: `}${message}${hint === undefined ? '' : `. ${hint}`}`;
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE - 1)}…` : text;
}

function isRefused(error: unknown): boolean {
  const status = (error as { status?: unknown } | undefined)?.status;
  return status === 400 || status === 404 || status === 409 || status === 413 || status === 422;
}
