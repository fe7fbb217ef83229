// Objects that ask for client certificates on a host where an older one says how, which can be had in one way alone. Where that
// lets in more clients than the younger one would, its routes are closed: it meant to keep them out.
import { originText } from '../../proxy/table/origin.ts';
import type { Origin } from '../../proxy/table/origin.ts';
import { hostText } from '../model/assemble.ts';
import type { HostModel } from '../model/assemble.ts';
import { closeRoute } from '../model/close-route.ts';
import { conflict } from '../model/connections.ts';
import type { Problem } from '../model/problem.ts';
import type { ClientCertificatesIntent, RouteIntent, Said } from '../model/translation.ts';
import type { SecretUse } from './connection.ts';

type Wish = Exclude<ClientCertificatesIntent, { readonly wrong: unknown }>;

const STRICTNESS: Readonly<Record<Wish['verify'], number>> = { off: 0, report: 1, optional: 2, on: 3 };

/** The model with the routes of such objects closed; `use.problems` is told who does not get what it asks for. `closed`: nobody gets in anyway. */
export function withoutOverruled(model: HostModel, closed: boolean, use: SecretUse): HostModel {
  const winner = model.connection?.clientCertificates;
  if (winner === undefined || model.overruled === undefined) return model;
  const host = hostText(model.hostname);
  const unsafe = new Set<string>();
  for (const { value, origin } of model.overruled) {
    const kept = closed || 'wrong' in winner.value || 'wrong' in value || keeps(winner.value, value, use);
    if (!kept) unsafe.add(objectText(origin));
    use.problems.push(kept ? conflict(host, origin, winner.origin) : { ...unmet(host, origin, winner), hostname: model.hostname });
  }
  const checked = (route: RouteIntent): RouteIntent => (unsafe.has(objectText(route.origin)) ? closeRoute(route) : route);
  return unsafe.size === 0 ? model : { ...model, routes: model.routes.map(checked), fallback: checked(model.fallback) };
}

/** Whoever comes in by `settled` would have come in by `wish`. How long a chain may be is not looked at: it ends at the same authorities. */
function keeps(settled: Wish, wish: Wish, use: SecretUse): boolean {
  if (wish.verify === 'off' && wish.subject === undefined) return true;
  if (STRICTNESS[settled.verify] < STRICTNESS[wish.verify]) return false;
  if (wish.subject !== undefined && wish.subject !== settled.subject) return false;
  return settled.secret === wish.secret || sameAuthorities(settled.secret, wish.secret, use);
}

/** Objects of two namespaces have each a Secret of its own. */
function sameAuthorities(one: string, other: string, use: SecretUse): boolean {
  const [a, b] = [one, other].map((key) => {
    use.secrets.add(key);
    const found = use.secret(key);
    return found === undefined || 'refused' in found ? undefined : use.reader.authorities(found);
  });
  return a !== undefined && b !== undefined && 'caPem' in a && 'caPem' in b && a.caPem === b.caPem && a.crlPem === b.crlPem;
}

function unmet(host: string, origin: Origin, winner: Said<ClientCertificatesIntent>): Problem {
  return {
    severity: 'error',
    reason: 'SettingConflict',
    origin,
    message: `${host} asks for client certificates as ${originText(winner.origin)} says, which is older, and that lets in clients whom this one keeps out: its routes are closed`,
    hint: 'give both the same auth-tls annotations, or this one a host of its own',
    effect: 'RouteDenied',
  };
}

function objectText({ kind, namespace, name }: Origin): string {
  return originText({ kind, namespace, name });
}
