// Says, before the suite runs, which servers it runs against.
import { assets } from '../support/kube/real.ts';

const folder = assets();
console.log(folder === undefined
  ? 'The suite runs against the test API server. kube-apiserver: skipped, because KUBEBUILDER_ASSETS names no folder with etcd and kube-apiserver.'
  : `The suite runs against the test API server and against kube-apiserver in ${folder}.`);
