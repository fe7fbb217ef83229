// The clusters that some route uses, with their endpoints. Told which Services, slices, Endpoints objects and DNS answers
// changed, it builds again what depends on those and nothing else: this is the lane that every pod's coming and going takes.
import { equal } from '../../proxy/table/equal.ts';
import type { Service } from '../kube/objects.ts';
import type { KubeState } from '../kube/state.ts';
import { Dependents } from '../model/dependents.ts';
import { endpointsOf } from '../model/endpoints.ts';
import type { EndpointSet } from '../model/endpoints.ts';
import { externalEndpoints, externalHostname } from '../model/external-name.ts';
import type { DnsAnswer, DnsAnswers } from '../model/external-name.ts';
import type { ProblemBook } from '../model/problem-book.ts';
import { clusterOf } from '../model/services.ts';
import type { ClusterDefaults, ClusterRef } from '../model/services.ts';
import { serviceEndpoint } from '../model/service-upstream.ts';
import type { LiveSections } from './live-sections.ts';
import { SlicesByService } from './slices.ts';

/** Keys of objects that changed; undefined: any may have. */
export interface ChangedBackends {
  readonly services: ReadonlySet<string> | undefined;
  readonly slices: ReadonlySet<string> | undefined;
  readonly endpoints: ReadonlySet<string> | undefined;
}

export class Clusters {
  readonly #table: LiveSections;
  readonly #problems: ProblemBook;
  readonly #defaults: ClusterDefaults;
  readonly #slices = new SlicesByService();
  readonly #refs = new Map<string, ClusterRef>();
  /** Hostname that routes to it → cluster → its Service, and the name that DNS must resolve for it. */
  readonly #users = new Dependents();
  readonly #services = new Dependents();
  readonly #dnsNames = new Dependents();
  /** The answers that the endpoints in the table were made from. */
  readonly #answers = new Map<string, DnsAnswer | undefined>();
  #dnsNameList: readonly string[] | undefined;
  /** To build again, or to remove if nobody uses them any more. */
  readonly #dirty = new Set<string>();

  constructor(table: LiveSections, problems: ProblemBook, defaults: ClusterDefaults) {
    this.#table = table;
    this.#problems = problems;
    this.#defaults = defaults;
  }

  /** From now on `user` needs exactly these clusters. In force with the next `update`. */
  use(user: string, refs: ReadonlyMap<string, ClusterRef>): void {
    for (const name of this.#users.thingsOf(user)) if (!refs.has(name)) this.#dirty.add(name);
    for (const [name, ref] of refs) {
      if (this.#refs.get(name)?.port !== ref.port) this.#dirty.add(name);
      this.#refs.set(name, ref);
    }
    this.#users.set(user, new Set(refs.keys()));
  }

  update(state: KubeState, dns: DnsAnswers, changed: ChangedBackends): void {
    this.#noteServices(this.#slices.update(state.objects.EndpointSlice, changed.slices));
    this.#noteServices(changed.services ?? this.#services.things());
    this.#noteServices(changed.endpoints ?? this.#services.things());
    this.#noteAnswers(dns);
    for (const name of this.#dirty) {
      this.#build(name, state, dns);
      this.#dirty.delete(name);
    }
  }

  /** Every name that DNS must resolve, sorted; the same array while they are the same. */
  dnsNames(): readonly string[] {
    this.#dnsNameList ??= [...this.#answers.keys()].sort();
    return this.#dnsNameList;
  }

  #noteServices(keys: Iterable<string>): void {
    for (const key of keys) for (const name of this.#services.usersOf(key)) this.#dirty.add(name);
  }

  #noteAnswers(dns: DnsAnswers): void {
    for (const [dnsName, before] of this.#answers) {
      const now = dns.get(dnsName);
      if (now === before || equal(now, before)) continue;
      this.#answers.set(dnsName, now);
      for (const name of this.#dnsNames.usersOf(dnsName)) this.#dirty.add(name);
    }
  }

  #build(name: string, state: KubeState, dns: DnsAnswers): void {
    const ref = this.#refs.get(name);
    const service = ref === undefined ? undefined : state.objects.Service.get(ref.service);
    if (ref === undefined || service === undefined || this.#users.usersOf(name).size === 0) {
      this.#drop(name);
      return;
    }
    const { endpoints, problems } = this.#endpointsOf(ref, service, state, dns);
    this.#services.set(name, new Set([ref.service]));
    this.#setDnsName(name, externalHostname(service), dns);
    this.#table.put('clusters', name, clusterOf(ref, this.#defaults));
    this.#table.put('endpoints', name, endpoints);
    this.#problems.set(`cluster ${name}`, problems);
  }

  #endpointsOf(ref: ClusterRef, service: Service, state: KubeState, dns: DnsAnswers): EndpointSet {
    if (service.type === 'ExternalName') return externalEndpoints(service, ref.port, dns);
    const one = ref.upstream.serviceUpstream ?? this.#defaults.serviceUpstream ? serviceEndpoint(service, ref.port) : undefined;
    if (one !== undefined) return { endpoints: [one], problems: [] };
    return endpointsOf(service, ref.port, this.#slices.of(ref.service), state.objects.Endpoints.get(ref.service));
  }

  #drop(name: string): void {
    this.#refs.delete(name);
    this.#services.set(name, new Set());
    this.#setDnsName(name, undefined, new Map());
    this.#table.remove('clusters', name);
    this.#table.remove('endpoints', name);
    this.#problems.set(`cluster ${name}`, []);
  }

  #setDnsName(name: string, dnsName: string | undefined, dns: DnsAnswers): void {
    const [before] = this.#dnsNames.thingsOf(name);
    if (dnsName === before) return;
    this.#dnsNames.set(name, new Set(dnsName === undefined ? [] : [dnsName]));
    if (before !== undefined && this.#dnsNames.usersOf(before).size === 0) this.#answers.delete(before);
    if (dnsName !== undefined) this.#answers.set(dnsName, dns.get(dnsName));
    this.#dnsNameList = undefined;
  }
}
