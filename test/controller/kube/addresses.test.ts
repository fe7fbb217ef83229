// Which addresses a status shows.
import test from 'ava';
import { addressesOfNode, pointsOfAddresses, pointsOfService, samePoints } from '../../../controller/kube/addresses.ts';
import { decodeAs } from '../../../controller/kube/decode.ts';
import type { Service } from '../../../controller/kube/objects.ts';

function service(spec: object, ingress: object[] = []): Service {
  const decoded = decodeAs('Service', { metadata: { name: 'fairlead', namespace: 'fairlead' }, spec: { ports: [{ port: 80 }], ...spec }, status: { loadBalancer: { ingress } } });
  if (!('object' in decoded)) throw new Error(JSON.stringify(decoded.problems));
  return decoded.object as Service;
}

test('LoadBalancer: what it was given, and its external IPs', (t) => {
  t.deepEqual(pointsOfService(service({ type: 'LoadBalancer', externalIPs: ['192.0.2.9'] }, [{ ip: '192.0.2.1' }, { hostname: 'lb.example' }])), [{ ip: '192.0.2.1' }, { hostname: 'lb.example' }, { ip: '192.0.2.9' }]);
});

test('a LoadBalancer that has no address yet says nothing, which is not the same as an empty status', (t) => {
  t.is(pointsOfService(service({ type: 'LoadBalancer', clusterIP: '10.0.0.1' })), undefined);
  t.is(pointsOfService(undefined), undefined);
});

test('NodePort: external IPs, else the cluster IP', (t) => {
  t.deepEqual(pointsOfService(service({ type: 'NodePort', clusterIP: '10.0.0.1', externalIPs: ['192.0.2.9', '192.0.2.9'] })), [{ ip: '192.0.2.9' }]);
  t.deepEqual(pointsOfService(service({ type: 'NodePort', clusterIP: '10.0.0.1' })), [{ ip: '10.0.0.1' }]);
});

test('ClusterIP: the cluster IP, which a headless Service does not have', (t) => {
  t.deepEqual(pointsOfService(service({ clusterIP: '10.0.0.1' })), [{ ip: '10.0.0.1' }]);
  t.is(pointsOfService(service({ clusterIP: 'None' })), undefined);
});

test('ExternalName: the name', (t) => {
  t.deepEqual(pointsOfService(service({ type: 'ExternalName', externalName: 'edge.example' })), [{ hostname: 'edge.example' }]);
});

test('addresses of a flag are told from hostnames', (t) => {
  t.deepEqual(pointsOfAddresses(['192.0.2.1', '2001:db8::1', 'edge.example']), [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }, { hostname: 'edge.example' }]);
  t.is(pointsOfAddresses([]), undefined);
});

test('a Node shows its external addresses, and its internal ones if it has no others or they are asked for', (t) => {
  const both = { status: { addresses: [{ type: 'InternalIP', address: '10.0.0.4' }, { type: 'ExternalIP', address: '192.0.2.4' }, { type: 'Hostname', address: 'node' }] } };
  t.deepEqual(addressesOfNode(both, false), ['192.0.2.4']);
  t.deepEqual(addressesOfNode(both, true), ['10.0.0.4']);
  t.deepEqual(addressesOfNode({ status: { addresses: [{ type: 'InternalIP', address: '10.0.0.4' }] } }, false), ['10.0.0.4']);
  t.deepEqual(addressesOfNode({ status: { addresses: 'nonsense' } }, false), []);
});

test('the order of addresses makes no difference', (t) => {
  t.true(samePoints([{ ip: '192.0.2.1' }, { hostname: 'a' }], [{ hostname: 'a' }, { ip: '192.0.2.1' }]));
  t.false(samePoints([{ ip: '192.0.2.1' }], [{ hostname: '192.0.2.1' }]));
  t.false(samePoints([], [{ ip: '192.0.2.1' }]));
});
