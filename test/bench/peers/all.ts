// The peers in the order in which tables show them.
import { caddy } from './caddy.ts';
import { fairlead } from './fairlead.ts';
import { haproxy } from './haproxy.ts';
import { httpProxy } from './http-proxy.ts';
import { nginx } from './nginx.ts';
import type { Peer } from './peer.ts';

export const PEERS: readonly Peer[] = [nginx, haproxy, caddy, httpProxy, fairlead];
