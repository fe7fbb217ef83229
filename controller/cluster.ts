// The cluster as a source, with what is written back to it: puts reflectors, leader election, status and Events together.
// Whoever serves needs the source alone; everything else here may fail or be late without a request noticing.
import { hostname } from 'node:os';
import { randomBytes } from 'node:crypto';
import { isOurs, ourClasses } from './dialects/ingress/classes.ts';
import { referencesOf } from './dialects/ingress/references.ts';
import { pointsOfAddresses, pointsOfService } from './kube/addresses.ts';
import { errorText } from './kube/api-error.ts';
import type { IngressPoint } from './kube/arrived.ts';
import { KubeClient } from './kube/client.ts';
import { EventWriter } from './kube/events.ts';
import { readIdentity } from './kube/identity.ts';
import { LeaderElection } from './kube/leader.ts';
import { OwnPods, ownPod } from './kube/own-pods.ts';
import { KubeSource } from './kube/source.ts';
import { KubeStore } from './kube/state.ts';
import type { Change, KubeState, Source } from './kube/state.ts';
import type { KindStats } from './kube/stats.ts';
import { StatusWriter } from './kube/status.ts';
import type { Log } from './log.ts';
import type { Problem } from './model/problem.ts';
import type { KubeSettings, Settings } from './settings.ts';

/** How often the leader looks whether every status is as it should be, whatever it was told. Milliseconds. */
const LOOK_MS = 4_000;
const SHUTDOWN_MS = 3_000;

/** For metrics. */
export interface ClusterStats {
  readonly kinds: readonly KindStats[];
  readonly leader: boolean;
  readonly statusWrites: number;
  readonly events: number;
  readonly eventsWaiting: number;
}

/** What there is once the API's address is known. */
interface Parts {
  readonly client: KubeClient;
  readonly source: KubeSource;
  readonly pods: OwnPods;
  readonly election: LeaderElection | undefined;
  readonly status: StatusWriter | undefined;
  readonly events: EventWriter;
}

const NOTHING = new KubeStore();

export class ClusterSource implements Source {
  readonly #settings: Settings;
  readonly #kube: KubeSettings;
  readonly #log: Log;
  readonly #identity = `${hostname()}_${randomBytes(4).toString('hex')}`;
  #parts: Parts | undefined;
  #nodePoints: readonly IngressPoint[] | undefined;
  /** Why the nodes were not known whenever that was asked since they last were. */
  readonly #nodesUnknown = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  /** True: which Ingresses are ours is known. Before, an IngressClass may be missing that says that one of them is somebody else's. */
  #complete = false;
  #stopped = false;

  constructor(settings: Settings, kube: KubeSettings, log: Log) {
    this.#settings = settings;
    this.#kube = kube;
    this.#log = log;
  }

  get state(): KubeState {
    return this.#parts?.source.state ?? NOTHING;
  }

  /** Rejects if there is no identity to go to the API with; that the API does not answer is no reason. */
  async start(onChange: (changes: readonly Change[]) => void): Promise<void> {
    const client = await KubeClient.connect(() => readIdentity(this.#kube.kubeconfig));
    if (this.#stopped) return client.close();
    this.#parts = this.#assemble(client);
    const { source, election, status } = this.#parts;
    election?.start();
    await source.start((changes) => {
      onChange(changes);
      if (changes.some(({ kind, key }) => kind === 'Ingress' || kind === 'IngressClass' || (kind === 'Service' && key === this.#kube.publishService))) status?.check();
    });
    if (this.#stopped) return;
    this.#complete = true;
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    if (this.#parts === undefined) return;
    const { client, source, election, status, events } = this.#parts;
    await events.stop();
    await status?.stop();
    await this.#clearStatus(this.#parts).catch((error: unknown) => this.#log.warn({ reason: errorText(error) }, 'the status of Ingresses stays as it is'));
    await election?.stop();
    await source.stop();
    await client.close();
  }

  problems(): readonly Problem[] {
    return this.#parts?.source.problems() ?? [];
  }

  locate(): undefined {
    return undefined;
  }

  /** All Problems that there are now, wherever they were found: they become Events. */
  tell(problems: readonly Problem[]): void {
    this.#parts?.events.update(problems);
  }

  stats(): ClusterStats {
    const { source, status, events } = this.#parts ?? {};
    return { kinds: source?.stats() ?? [], leader: this.#leads(), statusWrites: status?.writes ?? 0, events: events?.written ?? 0, eventsWaiting: events?.waiting ?? 0 };
  }

  #assemble(client: KubeClient): Parts {
    const kube = this.#kube;
    const log = this.#log;
    const own = ownPod(client.namespace);
    const { defaultBackendService, defaultSslCertificate } = this.#settings;
    const source = new KubeSource({
      client,
      log,
      namespaces: kube.namespaces,
      namespaceSelector: kube.namespaceSelector,
      endpointsApi: kube.endpointsApi,
      services: [defaultBackendService, kube.publishService].filter((name) => name !== undefined),
      named: defaultSslCertificate === undefined ? [] : [{ kind: 'Secret', key: defaultSslCertificate }],
      references: (ingress, state) => (isOurs(ingress, ourClasses(state.objects.IngressClass.values(), this.#settings), this.#settings) ? referencesOf(ingress) : []),
    });
    const isLeader = (): boolean => this.#leads();
    return {
      client,
      source,
      pods: new OwnPods(client, own, kube.reportNodeInternalIp),
      election: kube.leaderElection ? new LeaderElection({ client, log, namespace: own.namespace, name: kube.electionId, identity: this.#identity, ttlMs: kube.electionTtlMs, onChange: () => this.#look() }) : undefined,
      status: kube.updateStatus ? new StatusWriter({ client, log, own: () => this.#ownIngresses(), current: (key) => source.ingressStatus(key), desired: () => this.#desired(), isLeader }) : undefined,
      events: new EventWriter({ client, log, own, identity: this.#identity, isLeader, uidOf: (origin) => source.uidOf(origin) }),
    };
  }

  #leads(): boolean {
    return this.#kube.leaderElection ? (this.#parts?.election?.isLeader ?? false) : this.#parts !== undefined;
  }

  #look(): void {
    if (this.#parts === undefined || !this.#complete || this.#stopped || !this.#leads()) return;
    const { events, status, pods } = this.#parts;
    events.check();
    if (status === undefined) return;
    if (this.#kube.publishService !== undefined || this.#kube.publishStatusAddresses.length > 0) return status.check();
    pods.nodeAddresses(AbortSignal.timeout(LOOK_MS)).then((addresses) => {
      this.#nodesUnknown.clear();
      this.#nodePoints = pointsOfAddresses(addresses);
      status.check();
    }, (error: unknown) => {
      const reason = errorText(error);
      // Once for each reason: where nobody wants a status, this is so for good.
      if (!this.#nodesUnknown.has(reason)) this.#log.warn({ reason }, 'the status of Ingresses is left alone: it would show the nodes of Fairlead\'s pods, and they are not known');
      this.#nodesUnknown.add(reason);
    });
  }

  #desired(): readonly IngressPoint[] | undefined {
    const { publishService, publishStatusAddresses } = this.#kube;
    if (publishStatusAddresses.length > 0) return pointsOfAddresses(publishStatusAddresses);
    if (publishService !== undefined) return pointsOfService(this.state.objects.Service.get(publishService));
    return this.#nodePoints;
  }

  *#ownIngresses(): Generator<string> {
    const { Ingress, IngressClass } = this.state.objects;
    const classes = ourClasses(IngressClass.values(), this.#settings);
    for (const [key, ingress] of Ingress) if (isOurs(ingress, classes, this.#settings)) yield key;
  }

  /** Only where it was asked for, and by the last replica: the others still serve. */
  async #clearStatus({ status, pods }: Parts): Promise<void> {
    if (!this.#kube.updateStatusOnShutdown || !this.#complete || status === undefined || !this.#leads()) return;
    if (await pods.isLast(AbortSignal.timeout(SHUTDOWN_MS))) await status.clear(SHUTDOWN_MS);
  }
}
