// A load balancer in the kernel: every new connection goes to the next node, and comes back the same way. It needs no
// program, and like many a cloud's it hides the client's address.
import type { Host } from '../host.ts';
import { tool } from '../tools.ts';
import type { Target } from './program.ts';

/** IPv4. Replaces the balancer that the host had. */
export function setNftBalancer(host: Host, port: number, targets: readonly Target[]): void {
  const choices = targets.map(({ address }, index) => `${index} : ${address}`).join(', ');
  const to = targets[0]?.port ?? port;
  host.must(tool('nft'), ['-f', '-'], `table ip balancer
delete table ip balancer
table ip balancer {
  chain prerouting {
    type nat hook prerouting priority dstnat
    ${targets.length === 0 ? '' : `ip daddr ${host.ipv4} tcp dport ${port} dnat to numgen inc mod ${targets.length} map { ${choices} } : ${to}`}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
    masquerade
  }
}
`);
}
