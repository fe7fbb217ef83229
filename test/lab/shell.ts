// `npm run lab`: the cluster with Fairlead in it, a map of the network, and a shell. Everything ends with the shell.
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { bracketed } from './addresses.ts';
import { podLink } from './links.ts';
import { startHaproxyBalancer } from './peers/haproxy.ts';
import { setNftBalancer } from './peers/nft-balancer.ts';
import { startNginxPod } from './peers/nginx.ts';
import { HTTP_NODE_PORT, LOCAL_NODE_PORT, PROXY_NODE_PORT, Scene } from './scene.ts';
import { findTool, tool } from './tools.ts';

const ipv6 = process.argv.includes('--ipv6');
const rules = process.argv.includes('--iptables') ? 'iptables' : 'nft';
const FOLDER = '/run/lab/bin';

const scene = await Scene.open({ dns: true, ipv6, rules });
const { cluster } = scene;
const targets = cluster.nodes.map(({ ipv4 }) => ({ address: ipv4, port: HTTP_NODE_PORT }));
await Promise.all([
  scene.startPods(),
  scene.startHostNetwork(1),
  findTool('nginx') === undefined || ipv6 ? undefined : startNginxPod(cluster.pod('proxy'), { port: 80, upstream: { address: '10.96.0.80', port: 80 } }),
  findTool('haproxy') === undefined ? setNftBalancer(cluster.lb, 80, targets) : startHaproxyBalancer(cluster.lb, 80, targets),
]);
installCommands();
console.log(map());
const shell = spawn(findTool('bash') ?? 'sh', findTool('bash') === undefined ? [] : ['--norc', '--noprofile'], {
  stdio: 'inherit',
  env: { ...process.env, PATH: `${FOLDER}:${process.env['PATH'] ?? ''}`, PS1: 'lab$ ' },
});
// Meant for the programs that the shell runs.
process.on('SIGINT', () => undefined);
shell.on('exit', (code) => {
  scene.close();
  process.exitCode = code ?? 1;
});

/** `on HOST COMMAND…` runs a command in a namespace; tools of the system go before those of npm. */
function installCommands(): void {
  mkdirSync(FOLDER, { recursive: true });
  const path = (process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules')).join(':');
  writeFileSync(`${FOLDER}/on`, `#!/bin/sh
[ $# -ge 2 ] && [ -e "/run/netns/${cluster.prefix}$1" ] || { echo "usage: on HOST COMMAND…, with HOST one of: ${hosts().join(' ')}" >&2; exit 2; }
host=$1; shift
PATH="${path}:/usr/sbin:/sbin" exec '${tool('nsenter')}' --net="/run/netns/${cluster.prefix}$host" "$@"
`);
  writeFileSync(`${FOLDER}/map`, `#!/bin/sh\ncat <<'END'\n${map()}\nEND\n`);
  for (const name of ['on', 'map']) chmodSync(`${FOLDER}/${name}`, 0o755);
}

function hosts(): string[] {
  return ['client', 'lb', ...cluster.nodes.map(({ name }) => name), ...cluster.pods.map(({ name }) => name)];
}

function map(): string {
  const [node1] = cluster.nodes;
  const address = (host: { readonly ipv4: string; readonly ipv6: string }): string => (ipv6 ? `${host.ipv4}  ${host.ipv6}` : host.ipv4);
  const nodes = cluster.nodes.map((node, index) => {
    const pods = cluster.pods.filter((pod) => pod.node === index + 1).map((pod) => `    │   ${pod.name.padEnd(10)} ${address(pod)}  on ${podLink(pod.name)}`);
    return [`    ├─ ${node.name}  ${address(node)}  eth0, cni0, flannel.1${index === 0 ? '; Fairlead on ports 80 and 443' : ''}`, ...pods].join('\n');
  });
  const services = cluster.services().map(({ name, namespace, clusterIP, port, nodePort, endpoints }) => `  ${`${name}.${namespace}`.padEnd(24)} ${`${bracketed(clusterIP)}:${port}`.padEnd(20)} ${(nodePort === undefined ? '' : `NodePort ${nodePort}`).padEnd(15)} ${endpoints.map(({ pod }) => pod).join(' ')}`);
  return `
  192.168.77.0/24, between the machines
    ├─ client  ${address(cluster.client)}
    ├─ lb  ${address(cluster.lb)}  port 80 → NodePort ${HTTP_NODE_PORT} of both nodes
${nodes.join('\n')}

Services (kube-proxy's rules in ${rules}: on node1 ${rules === 'nft' ? 'nft list ruleset' : 'iptables-save'})
${services.join('\n')}

Manifests that Fairlead watches: ${scene.manifests.folder}
Hosts: web.test, one.test, two.test, paths.test (/one, /two), tls.test (TLS)

  on client curl -H 'Host: web.test' http://${node1?.ipv4}/              host network
  on client curl -H 'Host: web.test' http://${node1?.ipv4}:${HTTP_NODE_PORT}/        NodePort (${LOCAL_NODE_PORT}: externalTrafficPolicy Local)
  on client curl -H 'Host: web.test' http://${cluster.lb.ipv4}/              load balancer
  on client curl -k --resolve tls.test:443:${node1?.ipv4} https://tls.test/
  on client curl http://${node1?.ipv4}:${PROXY_NODE_PORT}/small.html                nginx in a pod, the way without an ingress controller
  on web1 curl http://two.default/                               Service by its DNS name
  on node1 tcpdump -i any -nn tcp                                every packet
  map                                                            this page; exit ends everything
`;
}
