// The rules of the lab are those of kube-proxy.
import test from 'ava';
import { iptablesRules } from './rules-iptables.ts';
import { endpointChain, serviceChain } from './kube-chains.ts';
import { placePods, placeService } from './spec.ts';

const PODS = placePods([{ name: 'a', node: 1 }, { name: 'b', node: 2 }, { name: 'c', node: 2 }]);
const WEB = { name: 'web', clusterIP: '10.96.0.80', port: 80, targetPort: 8080, nodePort: 30080 };

test('chains have the names that kube-proxy gives them', (t) => {
  // Known from every cluster.
  t.is(serviceChain('SVC', 'default/kubernetes:https', 'TCP'), 'KUBE-SVC-NPX46M4PTMTKRN6Y');
  t.is(serviceChain('SVC', 'kube-system/kube-dns:dns', 'UDP'), 'KUBE-SVC-TCOU7JCQXEZGVUNU');
  t.regex(endpointChain('default/web:http', 'TCP', '10.244.1.10:8080'), /^KUBE-SEP-[A-Z2-7]{16}$/);
});

test('each of three endpoints gets a third: 1/3, then 1/2 of what is left, then all', (t) => {
  const rules = iptablesRules([placeService({ ...WEB, pods: ['a', 'b', 'c'] }, PODS)], 1, 'IPv4');
  t.deepEqual(rules.match(/probability [\d.]+/g), ['probability 0.33333333333', 'probability 0.50000000000']);
});

test('with externalTrafficPolicy Local a node offers its own pods alone, and does not hide the client', (t) => {
  const service = placeService({ ...WEB, externalTrafficPolicy: 'Local', pods: ['a', 'b'] }, PODS);
  const local = serviceChain('SVL', 'default/web:http', 'TCP');
  const entries = iptablesRules([service], 2, 'IPv4').split('\n').filter((rule) => rule.startsWith(`-A ${local}`));
  t.is(entries.length, 1);
  t.true(entries[0]?.includes('10.244.2.10:8080'));
  t.false(iptablesRules([service], 2, 'IPv4').includes(`${serviceChain('EXT', 'default/web:http', 'TCP')} -j KUBE-MARK-MASQ`));
});

test('a Service names pods that exist', (t) => {
  t.throws(() => placeService({ ...WEB, pods: ['nobody'] }, PODS), { message: 'Service web: there is no pod nobody' });
});
