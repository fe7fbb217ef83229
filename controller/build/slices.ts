// EndpointSlices by the Service that they belong to. A slice may move to another Service or lose its label, so what it
// belonged to before is remembered as well.
import type { EndpointSlice } from '../kube/objects.ts';

export class SlicesByService {
  readonly #slices = new Map<string, EndpointSlice>();
  readonly #byService = new Map<string, Set<string>>();

  /** `changed`: keys of slices; undefined: any may have. Returns the Services (`namespace/name`) whose slices changed. */
  update(slices: ReadonlyMap<string, EndpointSlice>, changed: ReadonlySet<string> | undefined): Set<string> {
    const services = new Set<string>();
    for (const key of changed ?? new Set([...slices.keys(), ...this.#slices.keys()])) {
      const before = this.#slices.get(key);
      const now = slices.get(key);
      if (before === now) continue;
      const old = serviceOf(before);
      const current = serviceOf(now);
      if (old !== undefined) services.add(old);
      if (current !== undefined) services.add(current);
      if (old !== current) this.#move(key, old, current);
      if (now === undefined) this.#slices.delete(key);
      else this.#slices.set(key, now);
    }
    return services;
  }

  of(service: string): EndpointSlice[] {
    return [...(this.#byService.get(service) ?? [])].map((key) => this.#slices.get(key)!);
  }

  #move(key: string, old: string | undefined, current: string | undefined): void {
    if (old !== undefined) {
      const keys = this.#byService.get(old);
      keys?.delete(key);
      if (keys?.size === 0) this.#byService.delete(old);
    }
    if (current === undefined) return;
    const keys = this.#byService.get(current);
    if (keys === undefined) this.#byService.set(current, new Set([key]));
    else keys.add(key);
  }
}

function serviceOf(slice: EndpointSlice | undefined): string | undefined {
  return slice === undefined || slice.serviceName === '' ? undefined : `${slice.metadata.namespace}/${slice.serviceName}`;
}
