// Runs a command in a box: user, mount, pid and network namespaces of its own. The command needs no root, sees no network
// but the one that it makes, and when the box ends, by whatever signal, the kernel ends everything that is in it.
//
//   node test/lab/box.ts [--or-skip] COMMAND [ARGUMENT…]
//
// A machine that forbids boxes gets one line. With --or-skip the command then runs without a box, and the tests of the lab
// report themselves as skipped (guard.ts); else the exit code is 1.
import { spawn, spawnSync } from 'node:child_process';
import { findTool } from './tools.ts';

/** What the first process of a box does. The folders that it mounts over exist in the box alone. */
const INIT = `
set -e
mount -t tmpfs -o mode=0755 fairlead-lab /run
mkdir -p /run/netns /run/lab
"$LAB_IP" link set lo up
# Pods ask the cluster's DNS server. On some machines resolv.conf is a link into /run.
printf 'nameserver 10.96.0.10\\nsearch default.svc.cluster.local svc.cluster.local cluster.local\\noptions ndots:5\\n' > /run/lab/resolv.conf
target=$(readlink -m /etc/resolv.conf)
case "$target" in
  /run/*) mkdir -p "$(dirname "$target")"; cp /run/lab/resolv.conf "$target" ;;
  *) mount --bind /run/lab/resolv.conf "$target" ;;
esac
set +e
"$@"
exit $?
`;

/** Tries everything that the lab builds on: a link, a namespace with a name, a rule of each kind. */
const PROBE = `
set -e
[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || { echo 'br_netfilter is not loaded; as root: modprobe br_netfilter' >&2; exit 1; }
"$LAB_IP" netns add probe
"$LAB_IP" link add probe0 type veth peer name eth0 netns probe
printf 'table ip probe {\\n chain c {\\n type nat hook prerouting priority -100\\n }\\n}\\ntable netdev probe {\\n chain c {\\n type filter hook egress device probe0 priority 0\\n }\\n}\\n' | "$LAB_NFT" -f -
`;

const NAMESPACES = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
/** A user other than 0 with all capabilities: tcpdump as user 0 would try to drop root, which a map of one user forbids. */
const USER = ['--user', '--map-user=1000', '--map-group=1000', '--keep-caps'];

const NEEDED = ['unshare', 'nsenter', 'setpriv', 'mount', 'ip', 'bridge', 'ss', 'nft', 'curl', 'sh'];

interface Way {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** How a box can be made here, or why it cannot. */
function findWay(): Way | { readonly reason: string } {
  const missing = NEEDED.filter((name) => findTool(name) === undefined);
  if (missing.length > 0) return { reason: `${missing.join(', ')} not installed` };
  const env = { ...process.env, LAB_IP: findTool('ip'), LAB_NFT: findTool('nft'), FAIRLEAD_LAB: 'boxed' };
  let reason = '';
  for (const user of process.getuid?.() === 0 ? [USER, []] : [USER]) {
    // The signal on the parent's death is what makes a box end with a killed npm or test runner.
    const way = { command: findTool('setpriv') as string, args: ['--pdeathsig', 'KILL', findTool('unshare') as string, ...user, ...NAMESPACES, 'sh', '-c', INIT, 'lab'], env };
    const probe = spawnSync(way.command, [...way.args, 'sh', '-c', PROBE], { env, encoding: 'utf8', timeout: 10_000 });
    if (probe.status === 0) return way;
    reason ||= (probe.error?.message ?? probe.stderr).trim().split('\n').at(-1) ?? '';
  }
  return { reason: reason === '' ? 'unshare failed' : reason };
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): void {
  const child = spawn(command, args, { env, stdio: 'inherit' });
  // unshare blocks these signals while it waits, so they would end nothing.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => child.kill('SIGKILL'));
  child.on('error', (error) => {
    console.error(`${command}: ${error.message}`);
    process.exitCode = 127;
  });
  child.on('exit', (code) => (process.exitCode = code ?? 1));
}

function main(): void {
  const orSkip = process.argv[2] === '--or-skip';
  const [command, ...args] = process.argv.slice(orSkip ? 3 : 2);
  if (command === undefined) {
    console.error('usage: node test/lab/box.ts [--or-skip] COMMAND [ARGUMENT…]');
    process.exitCode = 2;
    return;
  }
  const way = findWay();
  if (!('reason' in way)) {
    run(way.command, [...way.args, command, ...args], way.env);
    return;
  }
  console.error(`lab: this machine does not let us make network namespaces (${way.reason})${orSkip ? '; its tests are skipped' : ''}`);
  if (orSkip) run(command, args, { ...process.env, FAIRLEAD_LAB: `no network namespaces: ${way.reason}` });
  else process.exitCode = 1;
}

main();
