// The pure function in the middle of the controller: settings, objects and DNS answers in, the table and its Problems out.
// Everything that it remembers is an optimisation (cost follows the change), with one exception that is meant to be
// state: a certificate that was good stays in service while what its Secret holds now is not.
import type { Certificate, OcspStaple } from '../proxy/table/certificate.ts';
import type { Listener } from '../proxy/table/listener.ts';
import type { Sections } from '../proxy/table/snapshot.ts';
import { Clusters } from './build/clusters.ts';
import { buildHost } from './build/host.ts';
import { LiveSections } from './build/live-sections.ts';
import { SecretReader } from './build/secrets.ts';
import type { Touched } from './build/live-sections.ts';
import { annotate } from './dialects/ingress-nginx/annotate.ts';
import { closeRefused } from './dialects/ingress-nginx/refused.ts';
import { Certificates } from './dialects/ingress/certificates.ts';
import { Ingresses } from './dialects/ingress/ingresses.ts';
import { translateIngress } from './dialects/ingress/translate.ts';
import type { Kind, ObjectOf, Refused, Service } from './kube/objects.ts';
import { KINDS } from './kube/state.ts';
import type { Change, KubeState } from './kube/state.ts';
import { assembleHost } from './model/assemble.ts';
import type { HostModel } from './model/assemble.ts';
import { Dependents } from './model/dependents.ts';
import type { DnsAnswers } from './model/external-name.ts';
import { InheritedTls } from './model/inherited-tls.ts';
import { internalError } from './model/internal-error.ts';
import { ProblemBook } from './model/problem-book.ts';
import type { Problem } from './model/problem.ts';
import { CLUSTER_DEFAULTS, sameForRouting } from './model/services.ts';
import type { ClusterDefaults } from './model/services.ts';
import type { BackendRef } from './model/translation.ts';
import { Upstreams } from './model/upstreams.ts';

export type { DnsAnswers } from './model/external-name.ts';

export interface PipelineSettings {
  /** `spec.controller` of our IngressClasses. */
  readonly controllerClass: string;
  /** Accepted value of the annotation kubernetes.io/ingress.class. */
  readonly ingressClass: string;
  readonly watchIngressWithoutClass: boolean;
  /** `namespace/name` of a Service; its first port is used. */
  readonly defaultBackendService?: string;
  /** `namespace/name` of a Secret. */
  readonly defaultSslCertificate?: string;
  /** Served where nothing better is. */
  readonly selfSigned: Certificate;
  /** Every virtual host is served on all of them. `tls.defaultCertificate` is filled in here. */
  readonly listeners: readonly Listener[];
  /** Value of Strict-Transport-Security for hosts with a certificate of their own; absent: it is not sent. */
  readonly hsts?: string;
  /** False: no host is passed through. */
  readonly sslPassthrough?: boolean;
  /** For clusters of which nobody says more. */
  readonly clusterDefaults?: ClusterDefaults;
  /** Milliseconds since the epoch, for warnings about expiry when a Secret is read; the system's clock if absent. */
  readonly now?: () => number;
}

export interface PipelineResult {
  /** The table in force, kept up to date in place by later runs; the entries themselves never change. */
  readonly sections: Sections;
  /** Keys that the run added, replaced or removed: all that a delta has to look at. */
  readonly touched: Touched;
  readonly problems: readonly Problem[];
  /** Names of ExternalName Services that must be resolved. */
  readonly hostnames: readonly string[];
}

type ChangedKeys = { readonly [K in Kind]: ReadonlySet<string> };

export class Pipeline {
  readonly #settings: PipelineSettings;
  readonly #listenerNames: readonly string[];
  readonly #defaultBackend: BackendRef | undefined;
  readonly #table = new LiveSections();
  readonly #problems = new ProblemBook();
  readonly #upstreams: Upstreams;
  readonly #ingresses: Ingresses;
  readonly #inheritedTls: InheritedTls;
  readonly #certificates: Certificates;
  readonly #clusters: Clusters;
  readonly #secretReader: SecretReader;
  /** Hostname → Services that its routes name. */
  readonly #serviceUsers = new Dependents();
  /** Hostname → upstreams that its routes lead to. */
  readonly #upstreamUsers = new Dependents();
  readonly #services = new Map<string, Service | Refused>();
  /** By `Certificate.name`. */
  readonly #staples = new Map<string, OcspStaple>();
  #state: KubeState | undefined;

  constructor(settings: PipelineSettings) {
    this.#settings = settings;
    this.#listenerNames = settings.listeners.map(({ name }) => name);
    this.#defaultBackend = defaultBackendOf(settings);
    this.#upstreams = new Upstreams(this.#problems, settings.clusterDefaults);
    this.#ingresses = new Ingresses(settings, this.#problems, this.#upstreams, (ingress, refused) =>
      refused === undefined ? annotate(ingress, translateIngress(ingress)) : closeRefused(ingress, translateIngress(ingress), refused));
    this.#inheritedTls = new InheritedTls(this.#ingresses);
    this.#certificates = new Certificates(
      { put: (certificate) => this.#table.put('certificates', certificate.name, this.#stapled(certificate)), remove: (name) => this.#table.remove('certificates', name) },
      settings.now ?? Date.now,
    );
    this.#secretReader = new SecretReader(settings.now ?? Date.now);
    this.#clusters = new Clusters(this.#table, this.#problems, settings.clusterDefaults ?? CLUSTER_DEFAULTS);
  }

  /**
   * `changes`: all that changed in `state` since the run before; undefined: anything may have. `dns`: what is known of the names in
   * `PipelineResult.hostnames`; what has no entry yet has no endpoints yet.
   */
  run(state: KubeState, dns: DnsAnswers, changes?: readonly Change[]): PipelineResult {
    const first = this.#state === undefined;
    const changed = changes === undefined || this.#state !== state ? undefined : keysByKind(changes);
    this.#state = state;

    const hostnames = this.#ingresses.update(state, changed?.Ingress, changed === undefined || changed.IngressClass.size > 0);
    for (const key of this.#changedServices(state, changed?.Service)) for (const hostname of this.#serviceUsers.usersOf(key)) hostnames.add(hostname);
    for (const key of this.#upstreams.takeChanged()) for (const hostname of this.#upstreamUsers.usersOf(key)) hostnames.add(hostname);
    const certified = this.#certificates.update(named(state, 'Secret'), changed?.Secret);
    if (first || certified.byDefault) this.#updateListeners(state);
    for (const hostname of certified.hostnames) hostnames.add(hostname);
    for (const hostname of this.#inheritedTls.affected(hostnames)) hostnames.add(hostname);
    // A default backend needs a place even while no Ingress asks for requests to unknown hosts.
    if (first) hostnames.add('*');

    for (const hostname of hostnames) this.#updateGuarded(hostname, state);
    this.#clusters.update(state, dns, { services: changed?.Service, slices: changed?.EndpointSlice, endpoints: changed?.Endpoints });
    return { sections: this.#table.sections, touched: this.#table.takeTouched(), problems: this.#problems.list(), hostnames: this.#clusters.dnsNames() };
  }

  /** What is stapled to a certificate from the next run on; undefined: nothing. False: it is not in the table, and no run is needed. */
  setStaple(name: string, staple: OcspStaple | undefined): boolean {
    if (staple === undefined) this.#staples.delete(name);
    else this.#staples.set(name, staple);
    const { certificates } = this.#table.sections;
    const certificate = Object.hasOwn(certificates, name) ? certificates[name] : undefined;
    if (certificate !== undefined) this.#table.put('certificates', name, this.#stapled(certificate));
    return certificate !== undefined;
  }

  #stapled({ ocsp: _before, ...certificate }: Certificate): Certificate {
    const ocsp = this.#staples.get(certificate.name);
    return ocsp === undefined ? certificate : { ...certificate, ocsp };
  }

  /** Services that appeared, went, or changed in a way that routes notice; `changed` undefined: any may have. */
  #changedServices(state: KubeState, changed: ReadonlySet<string> | undefined): string[] {
    const services = named(state, 'Service');
    const keys = changed ?? new Set([...state.objects.Service.keys(), ...state.refused.Service.keys(), ...this.#services.keys()]);
    return [...keys].filter((key) => {
      const before = this.#services.get(key);
      const now = services.get(key);
      if (now === undefined) this.#services.delete(key);
      else this.#services.set(key, now);
      return before !== now && (before === undefined || now === undefined || !sameForRouting(before, now));
    });
  }

  #updateListeners(state: KubeState): void {
    const { defaultSslCertificate, selfSigned, listeners } = this.#settings;
    const { certificate, problems } = this.#certificates.chooseDefault(defaultSslCertificate, selfSigned, named(state, 'Secret'));
    for (const listener of listeners) {
      const tls = listener.protocol === 'HTTPS' ? { tls: { minVersion: 'TLSv1.2' as const, ...listener.tls, defaultCertificate: certificate } } : {};
      this.#table.put('listeners', `listener/${listener.name}`, { ...listener, ...tls });
    }
    this.#problems.set('listeners', problems);
  }

  /** A hostname that cannot be built keeps the routes that it had, and no other one notices. */
  #updateGuarded(hostname: string, state: KubeState): void {
    try {
      this.#problems.set(`host ${hostname}`, this.#updateHost(hostname, state));
    } catch (error) {
      this.#problems.set(`host ${hostname}`, [internalError({ kind: 'Host', namespace: '', name: hostname }, error, 'None')]);
    }
  }

  #updateHost(hostname: string, state: KubeState): readonly Problem[] {
    const key = `${this.#listenerNames.join('+')}/${hostname}`;
    const model = this.#modelOf(hostname);
    const secrets = named(state, 'Secret');
    const services = named(state, 'Service');
    const inherited = model === undefined || model.tls !== undefined ? undefined : this.#inheritedTls.of(hostname);
    const { certificate, problems } = inherited === undefined
      ? this.#certificates.choose(hostname, model?.tls, secrets)
      : { certificate: this.#certificates.inherit(hostname, inherited, secrets), problems: [] };
    if (model === undefined) {
      this.#table.remove('virtualHosts', key);
      this.#clusters.use(hostname, new Map());
      this.#serviceUsers.set(hostname, new Set());
      this.#upstreamUsers.set(hostname, new Set());
      this.#certificates.use(hostname, new Set(), new Map(), secrets);
      return [];
    }
    const built = buildHost(key, inherited === undefined ? model : { ...model, tls: inherited.tls }, {
      listeners: this.#listenerNames,
      defaultBackend: this.#defaultBackend,
      certificate,
      service: (service) => services.get(service),
      upstream: (upstream) => this.#upstreams.settings(upstream),
      secret: (secret) => secrets.get(secret),
      secretReader: this.#secretReader,
      hsts: this.#settings.hsts,
      passthrough: this.#settings.sslPassthrough ?? true,
    });
    this.#table.put('virtualHosts', key, built.virtualHost);
    this.#clusters.use(hostname, built.clusters);
    this.#serviceUsers.set(hostname, built.services);
    this.#upstreamUsers.set(hostname, built.upstreams);
    this.#certificates.use(hostname, built.secrets, built.certificates, secrets);
    return [...problems, ...built.problems];
  }

  /** Undefined: nobody wants anything of this hostname. */
  #modelOf(hostname: string): HostModel | undefined {
    const contributions = this.#ingresses.contributions(hostname);
    if (contributions.length > 0) return assembleHost(hostname, contributions);
    return hostname === '*' && this.#defaultBackend !== undefined ? onlyDefaultBackend(this.#defaultBackend) : undefined;
  }
}

/** The objects of a kind by `namespace/name`, as those see them who are named one: what was refused is there, too. */
function named<K extends Kind>({ objects, refused }: KubeState, kind: K): { get(key: string): ObjectOf<K> | Refused | undefined } {
  return { get: (key) => objects[kind].get(key) ?? refused[kind].get(key) };
}

function keysByKind(changes: readonly Change[]): ChangedKeys {
  const keys = Object.fromEntries(KINDS.map((kind) => [kind, new Set<string>()])) as { readonly [K in Kind]: Set<string> };
  for (const { kind, key } of changes) keys[kind].add(key);
  return keys;
}

function defaultBackendOf({ defaultBackendService }: PipelineSettings): BackendRef | undefined {
  if (defaultBackendService === undefined) return undefined;
  const [namespace = '', service = ''] = defaultBackendService.split('/');
  return { namespace, service, port: undefined, weight: 1, origin: { kind: 'Flag', namespace: '', name: '--default-backend-service' } };
}

/** Every other host, while no Ingress says anything about it. */
function onlyDefaultBackend({ origin }: BackendRef): HostModel {
  const match = { path: { type: 'PathPrefix', value: '/' }, headers: [], queryParams: [], cookies: [] } as const;
  const fallback = { name: 'default-backend-service', match, filters: [], tlsFilters: [], action: { type: 'DefaultBackend' }, origin } as const;
  return { hostname: '*', routes: [], fallback, tls: undefined, problems: [] };
}
