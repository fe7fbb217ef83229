// What several objects want of TLS connections to one hostname. That is settled before any request, for the host as a whole:
// of each setting the oldest wish counts, and whoever wished something else is told.
import { equal } from '../../proxy/table/equal.ts';
import { originText } from '../../proxy/table/origin.ts';
import type { Problem } from './problem.ts';
import type { ClientCertificatesIntent, ConnectionIntent, Said, Translation, Wrong } from './translation.ts';

/** `oldestFirst`: the objects of the hostname. Undefined: none of them wants anything. */
export function settleConnections(oldestFirst: readonly Translation[], host: string): { readonly connection: ConnectionIntent | undefined; readonly problems: readonly Problem[] } {
  const wishes = oldestFirst.flatMap(({ connection }) => (connection === undefined ? [] : [connection]));
  const problems: Problem[] = [];
  const first = <T>(said: readonly (Said<T> | undefined)[]): Said<T> | undefined => {
    const [winner, ...losers] = said.filter((each) => each !== undefined);
    for (const loser of losers) if (winner !== undefined && !equal(winner.value, loser.value)) problems.push(conflict(host, loser.origin, winner.origin));
    return winner;
  };
  const asked = wishes.flatMap(({ clientCertificates }) => clientCertificates ?? []);
  const understood = asked.filter((each, index) => index === 0 || !('wrong' in each.value));
  for (const { value } of asked) if ('wrong' in value) for (const wrong of value.wrong) problems.push(notUnderstood(host, wrong, asked[0]!));
  const [protocols, ciphers, preferServerCiphers, clientCertificates] = [
    first(wishes.map((wish) => wish.protocols)), first(wishes.map((wish) => wish.ciphers)),
    first(wishes.map((wish) => wish.preferServerCiphers)), first(understood),
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
  return { connection: Object.keys(connection).length === 0 ? undefined : connection, problems };
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

function conflict(host: string, loser: Problem['origin'], winner: Problem['origin']): Problem {
  return {
    severity: 'warning',
    reason: 'SettingConflict',
    origin: loser,
    message: `${host} already has another value of this setting: that of ${originText(winner)} holds for the whole host (oldest first, then by namespace and name)`,
    hint: 'give both the same value, or remove one of them',
    effect: 'ValueIgnored',
  };
}
