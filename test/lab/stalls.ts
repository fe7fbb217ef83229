// Finds 40 ms stalls in a capture: a sender that holds data back until what it sent before is acknowledged (Nagle's algorithm,
// RFC 9293 §3.7.4), meets a receiver that delays the acknowledgement (RFC 9293 §3.8.6.3; 40 ms on Linux).
import type { Packet } from './capture.ts';

/** Less than the delay of an acknowledgement, and more than any other pause between data, acknowledgement and data. */
const DELAYED_MS = 35;
/** Data that was held back leaves at once with the acknowledgement. */
const AT_ONCE_MS = 5;

export interface Stall {
  readonly from: string;
  readonly to: string;
  readonly milliseconds: number;
}

/** Stalls of what is sent from `sender` (`address.port`, or an address to stand for each of its ports) on one link. */
export function findStalls(packets: readonly Packet[], link: string, sender: string): Stall[] {
  const flows = new Map<string, Packet[]>();
  for (const packet of packets) {
    if (packet.link !== link || packet.flags === '') continue;
    const key = [packet.from, packet.to].toSorted().join(' ');
    flows.set(key, [...(flows.get(key) ?? []), packet]);
  }
  return [...flows.values()].flatMap((flow) => flow.flatMap((released, index) => {
    const [held, acknowledgement] = [flow[index - 2], flow[index - 1]];
    const sends = (packet: Packet | undefined): packet is Packet => packet !== undefined && packet.length > 0 && (packet.from === sender || packet.from.startsWith(`${sender}.`));
    if (!sends(released) || !sends(held) || acknowledgement === undefined || acknowledgement.from !== released.to || acknowledgement.length > 0) return [];
    const milliseconds = (acknowledgement.time - held.time) * 1000;
    const late = milliseconds >= DELAYED_MS && (released.time - acknowledgement.time) * 1000 <= AT_ONCE_MS;
    return late ? [{ from: released.from, to: released.to, milliseconds }] : [];
  }));
}
