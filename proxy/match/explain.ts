// Why a request goes where it goes: which virtual host answers, every route of it in order with the first condition that it
// fails, and what came nearest where nothing matched. It asks the compiled conditions that the data plane asks.
import type { CompiledRoute, CompiledVirtualHost, RoutingTable } from './compile.ts';
import type { Condition, MatchInput } from './conditions.ts';

export interface Explanation {
  /** The compiled virtual host; its `virtualHost.hostname` is the pattern that matched. Undefined: none answers for this hostname on this listener. */
  readonly host: CompiledVirtualHost | undefined;
  /** Every route of the virtual host in matching order. */
  readonly candidates: readonly Candidate[];
  /** What `RoutingTable.match` gives. */
  readonly winner: CompiledRoute | undefined;
  /** Without a winner: the route that failed last, or with the most of its path in common; and hostnames most like the one that was asked for. */
  readonly nearest: Candidate | undefined;
  readonly nearestHostnames: readonly string[];
}

export interface Candidate {
  readonly compiled: CompiledRoute;
  /** Undefined: everything holds. Behind the winner that means that it was not its turn any more. */
  readonly failed: FailedCondition | undefined;
}

export interface FailedCondition {
  readonly kind: Condition['kind'];
  readonly expected: string;
  /** Undefined: the request has nothing there. */
  readonly seen: string | undefined;
}

/** Costs a walk over all routes of the virtual host; not for the data path. */
export function explainMatch(table: RoutingTable, listener: string, request: MatchInput): Explanation {
  const host = table.compiledHost(listener, request.hostname);
  const winner = table.match(listener, request);
  const candidates = (host?.routes ?? []).map((compiled) => ({ compiled, failed: firstFailure(compiled, request) }));
  return {
    host,
    candidates,
    winner,
    nearest: winner === undefined ? nearestCandidate(candidates, request) : undefined,
    nearestHostnames: host === undefined ? nearestHostnames(table.hostnames(listener), request.hostname) : [],
  };
}

function firstFailure({ path, conditions }: CompiledRoute, request: MatchInput): FailedCondition | undefined {
  for (const condition of [path, ...conditions]) {
    if (!condition.holds(request)) return { kind: condition.kind, expected: condition.expected, seen: condition.seen(request) };
  }
  return undefined;
}

function nearestCandidate(candidates: readonly Candidate[], request: MatchInput): Candidate | undefined {
  let nearest: Candidate | undefined;
  let best = -1;
  for (const candidate of candidates) {
    const score = closeness(candidate, request);
    if (score > best) {
      best = score;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Whose path holds is nearer than any whose path does not; then by how many conditions hold, or by characters in common. */
function closeness({ compiled, failed }: Candidate, request: MatchInput): number {
  if (failed?.kind !== 'path') return 1e6 + compiled.conditions.filter((condition) => condition.holds(request)).length;
  return commonStart(compiled.route.match.path.value.toLowerCase(), request.path.toLowerCase());
}

function commonStart(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

const SHOWN_HOSTNAMES = 3;

/** Those that share the most characters at both ends. */
function nearestHostnames(hostnames: readonly string[], wanted: string): string[] {
  const reversed = [...wanted].reverse().join('');
  const scored = hostnames.map((hostname) => ({ hostname, score: commonStart(hostname, wanted) + commonStart([...hostname].reverse().join(''), reversed) }));
  return scored.sort((a, b) => b.score - a.score || (a.hostname < b.hostname ? -1 : 1)).slice(0, SHOWN_HOSTNAMES).map(({ hostname }) => hostname);
}
