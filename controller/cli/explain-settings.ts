// How requests are brought to their endpoints, for people: what the route says where that is not the usual, and how a cluster is
// spoken to and shared out. Times and sizes are written as the flags take them.
import type { Cluster, CookieAffinity, KeyPart, LoadBalancer, UpstreamTls } from '../../proxy/table/cluster.ts';
import type { Forward, ForwardSettings } from '../../proxy/table/route.ts';

/** What `run` has without any flag or annotation. */
export interface Usual extends ForwardSettings {
  readonly connectTimeoutMs: number;
}

/** One line for each kind of thing that differs. */
export function forwardLines({ upstreamHost, sessionPath }: Forward, { timeouts, maxBodyBytes, requestBuffering, retry }: ForwardSettings, usual: Usual): readonly string[] {
  const limits = [
    ...(maxBodyBytes === usual.maxBodyBytes ? [] : [`body ${maxBodyBytes === 0 ? 'of any length' : sizeText(maxBodyBytes)}`]),
    ...differing('response', timeouts.responseHeadMs, usual.timeouts.responseHeadMs),
    ...differing('read', timeouts.readIdleMs, usual.timeouts.readIdleMs),
    ...differing('send', timeouts.sendIdleMs, usual.timeouts.sendIdleMs),
    ...differing('request', timeouts.requestMs, usual.timeouts.requestMs),
  ];
  return [
    ...(upstreamHost === undefined ? [] : [`  as host   ${keyText(upstreamHost)}`]),
    ...(limits.length === 0 ? [] : [`  limits    ${limits.join(', ')}`]),
    ...(requestBuffering === usual.requestBuffering ? [] : [`  bodies    ${requestBuffering ? 'are held until they are complete, up to 64k' : 'are sent on as they come'}`]),
    ...(JSON.stringify(retry) === JSON.stringify(usual.retry) ? [] : [`  retries   ${retryText(retry)}`]),
    ...(sessionPath === undefined ? [] : [`  sessions  begin here, for the path ${sessionPath}`]),
  ];
}

/** What follows the cluster's name. */
export function clusterText({ protocol, tls, loadBalancer, affinity, connectTimeoutMs }: Cluster, usual: Usual): string {
  const shared = affinity === undefined ? balancerText(loadBalancer) : sessionText(affinity);
  return [`${protocol} ${tls === undefined ? 'in clear text' : `over TLS, ${tlsText(tls)}`}`, shared, ...differing('connects within', connectTimeoutMs, usual.connectTimeoutMs)].join('; ');
}

/** The same where the connection brings its own encryption. */
export function passthroughText({ loadBalancer, connectTimeoutMs }: Cluster, usual: Usual): string {
  return [balancerText(loadBalancer), ...differing('connects within', connectTimeoutMs, usual.connectTimeoutMs)].join('; ');
}

function differing(name: string, ms: number, usualMs: number): readonly string[] {
  return ms === usualMs ? [] : [`${name} ${timeText(ms)}`];
}

function retryText({ attempts, on, totalMs, nonIdempotent }: ForwardSettings['retry']): string {
  if (attempts === 1 || on.length === 0) return 'none';
  const tries = attempts === 0 ? 'every endpoint' : `${attempts} tries`;
  return `${tries} on ${on.join(', ')}, ${withinText(totalMs)}${nonIdempotent ? ', whatever the method' : ''}`;
}

function withinText(totalMs: ForwardSettings['retry']['totalMs']): string {
  if (typeof totalMs !== 'number') return `within ${timeText(totalMs.atLeastMs)} or two connect timeouts`;
  return totalMs === 0 ? 'for as long as it takes' : `within ${timeText(totalMs)}`;
}

function tlsText({ verify, serverName, caPem, crlPem, clientCertificate }: UpstreamTls): string {
  const checked = verify ? `verified${serverName === undefined ? '' : ` as ${serverName}`} by ${caPem === undefined ? 'the system\'s authorities' : 'authorities of its own'}${crlPem === undefined ? '' : ' and their revocation lists'}` : 'not verified';
  return `${checked}${clientCertificate === undefined ? '' : ', with a client certificate'}`;
}

function balancerText(balancer: LoadBalancer): string {
  switch (balancer.type) {
    case 'RoundRobin':
      return 'round robin';
    case 'LeastRequest':
      return 'least request';
    case 'PeakEwma':
      return 'lowest latency (EWMA)';
    case 'ConsistentHash':
      return `by hash of ${keyText(balancer.key)}${balancer.subsetSize === undefined ? '' : `, ${balancer.subsetSize} endpoints for each`}`;
  }
}

function sessionText({ mode, changeOnFailure, cookie }: CookieAffinity): string {
  return `sessions by cookie ${cookie.name}, ${mode === 'Balanced' ? 'balanced' : 'persistent'}${changeOnFailure ? ', moving on failure' : ''}`;
}

/** What is made for each request stands in braces. */
function keyText(parts: readonly KeyPart[]): string {
  return parts.map((part) => {
    if (part.type === 'Literal') return part.value;
    return 'name' in part ? `{${part.type} ${part.name}}` : `{${part.type}}`;
  }).join('');
}

/** `0` is no limit, wherever it may be said. */
function timeText(ms: number): string {
  if (ms === 0) return 'without limit';
  for (const [unit, length] of [['h', 3_600_000], ['m', 60_000], ['s', 1000]] as const) if (ms % length === 0) return `${ms / length}${unit}`;
  return `${ms}ms`;
}

function sizeText(bytes: number): string {
  for (const [unit, size] of [['g', 1024 ** 3], ['m', 1024 ** 2], ['k', 1024]] as const) if (bytes % size === 0) return `${bytes / size}${unit}`;
  return String(bytes);
}
