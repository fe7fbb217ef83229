// The composition root of `run`: puts source, pipeline, publisher, DNS and admin port together and logs what happens.
// The process lives through four states: starting, ready, draining, gone. It ends when it is told to and for no other reason.
import { setTimeout as pause } from 'node:timers/promises';
import type { Server } from 'node:http';
import { selfSigned } from '../certs/self-signed.ts';
import { AdminMetrics } from './admin/metrics.ts';
import { startAdmin } from './admin/server.ts';
import { sourcePage } from './admin/source-metrics.ts';
import type { SourceNumbers } from './admin/source-metrics.ts';
import { othersText } from './dialects/ingress/classes.ts';
import { DnsWatcher } from './dns.ts';
import type { Source } from './kube/state.ts';
import { bindError, listenersOf } from './listeners.ts';
import { OcspWatcher } from './ocsp.ts';
import type { Log } from './log.ts';
import type { Problem } from './model/problem.ts';
import { Pipeline } from './pipeline.ts';
import type { PipelineResult } from './pipeline.ts';
import { ProblemLog } from './problem-log.ts';
import { describeEdits } from './publish/describe.ts';
import { Publisher } from './publish/publisher.ts';
import { Reconciler } from './reconcile.ts';
import { restoredTable } from './restore.ts';
import type { Settings } from './settings.ts';
import { StateDir } from './state-dir.ts';
import { VERSION } from './version.ts';

/** How long the first table waits for the names of ExternalName Services. */
const FIRST_NAMES_MS = 2000;
/** Problems are logged this long after they appear, and in a burst of changes once per pause. */
const PROBLEMS_SOON_MS = 20;
const PROBLEMS_PAUSE_MS = 1000;
/** When objects are not all there so long after the process began, the table of an earlier run serves until they are. To load what talks to a cluster takes most of it. */
const PATIENCE_MS = 1000;

/** A source that writes back to where it reads from has more to hear and to tell. */
export interface ServedSource extends Source {
  /** All Problems that there are now. */
  tell?(problems: readonly Problem[]): void;
  stats?(): SourceNumbers;
}

/** Where it really listens. */
export interface Ports {
  readonly http: number;
  readonly https: number;
  readonly admin: number;
}

export class Fairlead {
  readonly #settings: Settings;
  readonly #source: ServedSource;
  readonly #log: Log;
  readonly #onReady: (ports: Ports) => void;
  readonly #metrics = new AdminMetrics(VERSION);
  readonly #publisher: Publisher;
  readonly #dns: DnsWatcher;
  readonly #ocsp: OcspWatcher | undefined;
  readonly #reconciler: Reconciler;
  readonly #problemLog: ProblemLog;
  readonly #refusals = new Map<number, Problem>();
  readonly #selfSigned = selfSigned({ hostnames: ['fairlead.invalid'] });
  readonly #stateDir: StateDir | undefined;
  #stateProblem: Problem | undefined;
  /** When the table that serves was saved, while it is one of an earlier run. */
  #savedAt: number | undefined;
  #admin: { readonly server: Server; readonly port: number } | undefined;
  #problemTimer: NodeJS.Timeout | undefined;
  #problemsToldAt = -Infinity;
  #others: string | undefined;
  /** True: the source's objects have been published. */
  #published = false;
  #started = false;
  #draining = false;

  /** `onReady` is called once, when every worker serves the first table. */
  constructor(settings: Settings, source: ServedSource, log: Log, onReady: (ports: Ports) => void) {
    this.#settings = settings;
    this.#source = source;
    this.#log = log;
    this.#onReady = onReady;
    const { workers, accessLog, limits, timeouts, forwarding, memoryLimitBytes } = settings;
    this.#publisher = new Publisher(workers, (index) => ({ index, accessLog, limits, timeouts, forwarding, memory: { limitBytes: memoryLimitBytes, processes: workers + 1 } }), {
      onReady: (ports) => this.#becameReady(ports),
      onLive: (version, liveMs) => this.#becameLive(version, liveMs),
      onRefused: (index, version, error) => this.#refused(index, version, error),
      onWorkerExit: (index, reason, expected) => this.#workerExit(index, reason, expected),
      onLogNotReopened: (index, error) => log.error({ worker: index, accessLog, reason: error }, 'the access log could not be opened anew: lines go on to the file that was open'),
    });
    this.#dns = new DnsWatcher(settings.dnsServers, () => this.#changed([]));
    const { controllerClass, ingressClass, watchIngressWithoutClass, defaultBackendService, defaultSslCertificate, hsts, sslPassthrough, clusterDefaults } = settings;
    const pipeline = new Pipeline({
      controllerClass, ingressClass, watchIngressWithoutClass, clusterDefaults,
      ...(defaultBackendService === undefined ? {} : { defaultBackendService }),
      ...(defaultSslCertificate === undefined ? {} : { defaultSslCertificate }),
      ...(hsts === undefined ? {} : { hsts }),
      sslPassthrough,
      selfSigned: this.#selfSigned,
      listeners: listenersOf(settings),
    });
    this.#ocsp = settings.ocspStapling
      ? new OcspWatcher((name, staple) => {
          if (pipeline.setStaple(name, staple)) this.#changed([]);
        })
      : undefined;
    this.#reconciler = new Reconciler(source, pipeline, this.#dns, {
      onResult: (result, seenAt, tookMs) => this.#publish(result, seenAt, tookMs),
      onFailure: (error) => this.#failed('no table could be made, the one before stays in force', error),
    });
    this.#problemLog = new ProblemLog(log, (origin) => source.locate(origin));
    this.#stateDir = settings.stateDir === undefined ? undefined : new StateDir(settings.stateDir, (error) => log.warn({ err: error }, 'the table cannot be saved'));
  }

  /** Resolves when the workers have been started; `onReady` follows when all of them serve. Rejects if an address cannot be bound. */
  async start(): Promise<void> {
    this.#log.info({ version: VERSION, settings: this.#settings }, 'settings');
    const { adminBind, adminPort } = this.#settings;
    this.#admin = await startAdmin(adminBind, adminPort, {
      notReady: () => this.#notReady(),
      snapshot: () => this.#publisher.snapshot(),
      problems: () => this.#problems(),
      locate: (origin) => this.#source.locate(origin),
      metrics: () => this.#metricsPage(),
    }).catch((error: NodeJS.ErrnoException) => {
      throw new Error(bindError(adminBind, adminPort, error), { cause: error });
    });
    const objects = this.#source.start((changes) => this.#changed(changes));
    // Objects that are there wait for no disk.
    await Promise.race([this.#bridge(objects), objects]);
    await objects;
    if (this.#draining) return;
    this.#reconciler.runAll();
    await this.#dns.settled(FIRST_NAMES_MS);
    this.#started = true;
    this.#reconciler.runAll();
  }

  /** Stops accepting after `shutdownDelayMs` and resolves when everything that was open has ended, or was cut after `drainTimeoutMs`. */
  async drain(): Promise<void> {
    this.#draining = true;
    const { shutdownDelayMs, drainTimeoutMs } = this.#settings;
    this.#log.info({ shutdownDelayMs, drainTimeoutMs }, 'draining');
    await pause(shutdownDelayMs);
    const cut = await this.#publisher.drain(drainTimeoutMs);
    this.#reconciler.stop();
    clearTimeout(this.#problemTimer);
    this.#dns.stop();
    this.#ocsp?.stop();
    await this.#stateDir?.stop();
    if (this.heldUp) this.#log.warn({ stateDir: this.#settings.stateDir }, 'the state directory does not answer, and is waited for no longer');
    await this.#source.stop();
    this.#admin?.server.closeAllConnections();
    this.#admin?.server.close();
    this.#log.info({ cut }, 'drained');
  }

  /** For whoever sends SIGHUP as to a server that reads its configuration then. */
  nothingToReload(): void {
    this.#log.info('SIGHUP: nothing to reload, every change is live already');
  }

  /** For whoever has moved the access log's file away. */
  reopenAccessLog(): void {
    const { accessLog } = this.#settings;
    if (accessLog === 'stdout' || accessLog === 'off') {
      this.#log.info({ accessLog }, 'SIGUSR1: the access log is no file, so there is nothing to open anew');
      return;
    }
    this.#log.info({ accessLog }, 'SIGUSR1: every worker opens the access log anew');
    this.#publisher.reopenLogs();
  }

  /** Ends the workers at once. */
  abort(): void {
    this.#publisher.killAll();
  }

  /** True: a thread sits in a call to the state directory, maybe for ever, and an orderly exit would wait for it. */
  get heldUp(): boolean {
    return this.#stateDir?.busy ?? false;
  }

  /** Something threw where nothing should: the table before stays in force. */
  failed(error: unknown): void {
    this.#failed('a bug: something threw that should not', error);
  }

  #changed(changes: Parameters<Reconciler['changed']>[0]): void {
    if (this.#started) this.#reconciler.changed(changes);
  }

  #publish(result: PipelineResult, seenAt: number, tookMs: number): void {
    this.#dns.watch(result.hostnames);
    if (!this.#started) return;
    this.#ocsp?.touched(this.#published ? result.touched.certificates : Object.keys(result.sections.certificates), result.sections.certificates);
    this.#metrics.compileSeconds.observe(tookMs / 1000);
    const startedAt = performance.now();
    const published = this.#publisher.publish(result.sections, this.#published ? result.touched : undefined, seenAt);
    this.#published = true;
    this.#savedAt = undefined;
    this.#metrics.publishSeconds.observe((performance.now() - startedAt) / 1000);
    this.#tellProblems();
    if (published === undefined) return;
    this.#stateDir?.changed(() => result.sections);
    this.#log.info({ table: published.version }, `table ${published.version}: ${describeEdits(published.edits) || 'empty'}`);
  }

  /** Serves the table of an earlier run, if there is one and objects are long in coming. */
  async #bridge(objects: Promise<void>): Promise<void> {
    if (this.#stateDir === undefined) return;
    const loaded = await this.#stateDir.load();
    if (loaded !== undefined && 'problem' in loaded) {
      this.#stateProblem = loaded.problem;
      this.#tellProblems();
    }
    const saved = loaded !== undefined && 'table' in loaded ? loaded.table : undefined;
    const table = saved === undefined ? undefined : restoredTable(saved.sections, listenersOf(this.#settings), this.#selfSigned);
    if (table !== undefined && !this.#draining) this.#publisher.prepare(table.listeners);
    const late = await Promise.race([objects.then(() => false), pause(Math.max(0, PATIENCE_MS - performance.now())).then(() => true)]);
    if (!late || this.#draining || saved === undefined || table === undefined) return;
    this.#savedAt = saved.savedAt;
    this.#publisher.publish(table, undefined, performance.now());
    this.#log.warn({ savedAt: new Date(saved.savedAt).toISOString() }, 'objects cannot be read yet: the table of an earlier run serves until they can');
  }

  #problems(): readonly Problem[] {
    return [...this.#reconciler.problems, ...(this.#ocsp?.problems() ?? []), ...this.#refusals.values(), ...(this.#stateProblem === undefined ? [] : [this.#stateProblem])];
  }

  #becameReady(listeners: Readonly<Record<string, number>>): void {
    // Workers whose start was under way when this process was told to end are none that anybody should come to.
    if (this.#draining) return;
    const ports = { http: listeners['http'] ?? 0, https: listeners['https'] ?? 0, admin: this.#admin?.port ?? 0 };
    this.#log.info(ports, 'ready');
    this.#onReady(ports);
  }

  #becameLive(version: number, liveMs: number): void {
    this.#refusals.clear();
    // The first table waits for the workers to start: that is no delay of a change.
    if (version > 1) this.#metrics.eventToLiveSeconds.observe(liveMs / 1000);
    this.#log.debug({ table: version, ms: Math.round(liveMs * 10) / 10 }, `table ${version} is live on every worker`);
  }

  #refused(index: number, version: number, error: string): void {
    this.#metrics.refusals.inc();
    this.#refusals.set(index, {
      severity: 'error',
      reason: 'TableRefused',
      origin: { kind: 'Worker', namespace: '', name: String(index) },
      message: `table ${version} could not be put in force: ${error.slice(0, 200)}`,
      effect: 'None',
    });
    this.#tellProblems();
  }

  /** Soon, but not with every table: to compare all Problems costs more than to publish one endpoint. */
  #tellProblems(): void {
    this.#problemTimer ??= setTimeout(() => {
      this.#problemTimer = undefined;
      this.#problemsToldAt = performance.now();
      const problems = this.#problems();
      this.#problemLog.update(problems);
      this.#source.tell?.(problems);
      this.#tellOthers();
    }, Math.max(PROBLEMS_SOON_MS, this.#problemsToldAt + PROBLEMS_PAUSE_MS - performance.now()));
  }

  /** Whoever wonders why an Ingress is not served finds it in the log: it may be meant for somebody else, so it is no Problem. */
  #tellOthers(): void {
    const { Ingress, IngressClass } = this.#source.state.objects;
    const text = othersText(Ingress.values(), IngressClass.values(), this.#settings);
    if (text !== undefined && text !== this.#others) this.#log.info(text);
    this.#others = text;
  }

  #workerExit(index: number, reason: string, expected: boolean): void {
    if (expected) return;
    this.#metrics.workerExits.inc();
    this.#log.error({ worker: index, reason }, `worker ${index} ended and is replaced: ${reason}`);
  }

  #failed(what: string, error: unknown): void {
    this.#metrics.failures.inc();
    this.#log.error({ err: error }, what);
  }

  #notReady(): string | undefined {
    if (this.#draining) return 'draining';
    if (this.#savedAt !== undefined && !this.#settings.readyWhenStale) return 'the table of an earlier run serves';
    return this.#publisher.ready ? undefined : 'not every worker serves a table yet';
  }

  async #metricsPage(): Promise<string> {
    const stats = await this.#publisher.collect();
    const state = { snapshot: this.#publisher.snapshot(), problems: this.#problems(), ready: this.#notReady() === undefined, workers: this.#publisher.workers() };
    const source = this.#source.stats?.();
    const ages = (source?.kinds ?? []).map(({ ageMs }) => ageMs ?? 0);
    const staleMs = this.#savedAt === undefined ? Math.max(0, ...ages) : Date.now() - this.#savedAt;
    return `${await this.#metrics.page(state, stats)}\n${await sourcePage(source, staleMs, this.#savedAt !== undefined)}`;
  }
}
