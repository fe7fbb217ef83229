// Listeners whose port is 0 listen where the system lets the first worker listen. This remembers those ports and puts them
// into whatever is sent afterwards, so that all workers share them.
import type { Listener } from '../../proxy/table/listener.ts';

type Listeners = Readonly<Record<string, Listener>>;

export class PortBook {
  readonly #ports = new Map<string, number>();

  /** False while some listener's port is neither given nor known. */
  covers(listeners: Listeners): boolean {
    return Object.values(listeners).every((listener) => listener.port !== 0 || this.#ports.has(listener.name));
  }

  /** Ports by listener name, as a worker reports them. */
  learn(ports: Readonly<Record<string, number>>): void {
    for (const [name, port] of Object.entries(ports)) this.#ports.set(name, port);
  }

  /** The same listeners, with real ports where they are known. */
  fix(listeners: Listeners): Listeners {
    return Object.fromEntries(Object.entries(listeners).map(([key, listener]) => [key, this.#fixOne(listener)]));
  }

  #fixOne(listener: Listener): Listener {
    const port = this.#ports.get(listener.name);
    return listener.port === 0 && port !== undefined ? { ...listener, port } : listener;
  }
}
