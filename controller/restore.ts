// Makes the table of an earlier run fit this one: everything stays as it was, but the listeners are those of the flags now.
import type { Certificate } from '../proxy/table/certificate.ts';
import type { Listener } from '../proxy/table/listener.ts';
import type { Sections } from '../proxy/table/snapshot.ts';

/** `listeners`: as the flags have them, without certificates. `spare`: served on a listener that had none before. */
export function restoredTable(saved: Sections, listeners: readonly Listener[], spare: Certificate): Sections {
  const now: Record<string, Listener> = {};
  const certificates: Record<string, Certificate> = { ...saved.certificates };
  for (const listener of listeners) {
    const key = `listener/${listener.name}`;
    if (listener.tls === undefined) {
      now[key] = listener;
      continue;
    }
    const before = Object.hasOwn(saved.listeners, key) ? saved.listeners[key]?.tls?.defaultCertificate : undefined;
    const known = before !== undefined && Object.hasOwn(certificates, before);
    if (!known) certificates[spare.name] = spare;
    now[key] = { ...listener, tls: { ...listener.tls, defaultCertificate: known ? before : spare.name } };
  }
  return { ...saved, listeners: now, certificates };
}
