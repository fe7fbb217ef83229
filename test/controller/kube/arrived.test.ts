// What is kept of an object of the API, and for how long a version that was good stays in force.
import test from 'ava';
import { readArrived } from '../../../controller/kube/arrived.ts';

const ingress = (uid: string, resourceVersion: string, spec: object): object => ({ metadata: { namespace: 'shop', name: 'web', uid, resourceVersion }, spec });
const GOOD = { defaultBackend: { service: { name: 'web', port: { number: 80 } } } };
const BAD = { rules: 'nonsense' };

test('a version that does not decode leaves the one before in force', (t) => {
  const good = readArrived('Ingress', ingress('a', '1', GOOD), undefined);
  const bad = readArrived('Ingress', ingress('a', '2', BAD), good);
  t.is(bad.object, good.object);
  t.is(bad.problems[0]?.effect, 'None');
  t.is(readArrived('Ingress', ingress('a', '3', GOOD), bad).object, good.object);
});

test('an object that was made anew under the same name has no version of the one before', (t) => {
  const good = readArrived('Ingress', ingress('a', '1', GOOD), undefined);
  const bad = readArrived('Ingress', ingress('b', '2', BAD), good);
  t.is(bad.object, undefined);
  t.is(bad.problems[0]?.effect, 'ObjectRefused');
  const again = readArrived('Ingress', ingress('c', '3', GOOD), good);
  t.not(again.object, good.object);
  t.is(again.object?.metadata.uid, 'c');
});
