// What several objects want of TLS connections to one hostname. That is settled before any request, for the host as a whole:
// of each setting the oldest wish counts, and whoever wished something else is told.
import { equal } from '../../proxy/table/equal.ts';
import { originText } from '../../proxy/table/origin.ts';
import type { Problem } from './problem.ts';
import type { ClientCertificatesIntent, ConnectionIntent, Said, Translation, Wrong } from './translation.ts';

export interface SettledConnections {
  /** Undefined: nobody wants anything. */
  readonly connection: ConnectionIntent | undefined;
  /** Other wishes about client certificates than the one that counts; it takes their Secrets to tell what becomes of them (build/overruled.ts). */
  readonly overruled: readonly Said<ClientCertificatesIntent>[];
  readonly problems: readonly Problem[];
}

/** `oldestFirst`: the objects of the hostname. */
export function settleConnections(oldestFirst: readonly Translation[], host: string): SettledConnections {
  const wishes = oldestFirst.flatMap(({ connection }) => (connection === undefined ? [] : [connection]));
  const problems: Problem[] = [];
  const first = <T>(said: readonly (Said<T> | undefined)[]): Said<T> | undefined => {
    const [winner, ...losers] = said.filter((each) => each !== undefined);
    for (const loser of losers) if (winner !== undefined && !equal(winner.value, loser.value)) problems.push(conflict(host, loser.origin, winner.origin));
    return winner;
  };
  const asked = wishes.flatMap(({ clientCertificates }) => clientCertificates ?? []);
  const [clientCertificates, ...others] = asked.filter((each, index) => index === 0 || !('wrong' in each.value));
  const overruled = others.filter(({ value }) => !equal(value, clientCertificates?.value));
  for (const { value } of asked) if ('wrong' in value) for (const wrong of value.wrong) problems.push(notUnderstood(host, wrong, asked[0]!));
  const [protocols, ciphers, preferServerCiphers] = [
    first(wishes.map((wish) => wish.protocols)), first(wishes.map((wish) => wish.ciphers)), first(wishes.map((wish) => wish.preferServerCiphers)),
  ];
  // One object that wants it is enough: it cannot be had for a part of a host.
  const passthrough = wishes.find((wish) => wish.passthrough?.value === true)?.passthrough;
  const connection: ConnectionIntent = {
    ...(protocols !== undefined && { protocols }),
    ...(ciphers !== undefined && { ciphers }),
    ...(preferServerCiphers !== undefined && { preferServerCiphers }),
    ...(clientCertificates !== undefined && { clientCertificates }),
    ...(passthrough !== undefined && { passthrough }),
  };
  return { connection: Object.keys(connection).length === 0 ? undefined : connection, overruled, problems };
}

/** `winner`: whose wish holds for the host. */
function notUnderstood(host: string, { message, origin }: Wrong, winner: Said<ClientCertificatesIntent>): Problem {
  const closed = 'wrong' in winner.value;
  return {
    severity: 'error',
    reason: 'InvalidAnnotation',
    origin,
    message: closed
      ? `${message}; as nobody can be checked, every request is answered 403`
      : `${message}; ${host} asks for client certificates as ${originText(winner.origin)} says, and the routes of this one are denied`,
    effect: closed ? 'HostDenied' : 'RouteDenied',
  };
}

/** A setting that an older object has another value of. */
export function conflict(host: string, loser: Problem['origin'], winner: Problem['origin']): Problem {
  return {
    severity: 'warning',
    reason: 'SettingConflict',
    origin: loser,
    message: `${host} already has another value of this setting: that of ${originText(winner)} holds for the whole host (oldest first, then by namespace and name)`,
    hint: 'give both the same value, or remove one of them',
    effect: 'ValueIgnored',
  };
}
