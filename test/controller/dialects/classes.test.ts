import test from 'ava';
import { isOurs, ourClasses } from '../../../controller/dialects/ingress/classes.ts';
import { storeOf } from '../../support/manifests.ts';

const STRICT = { controllerClass: 'fairlead.dev/ingress-controller', ingressClass: 'fairlead', watchIngressWithoutClass: false };

const OURS = '{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: edge}, spec: {controller: fairlead.dev/ingress-controller}}';
const OUR_DEFAULT = '{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: edge, annotations: {ingressclass.kubernetes.io/is-default-class: "true"}}, spec: {controller: fairlead.dev/ingress-controller}}';
const FOREIGN = '{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: fairlead}, spec: {controller: example.com/other}}';
const FOREIGN_DEFAULT = '{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: other, annotations: {ingressclass.kubernetes.io/is-default-class: "true"}}, spec: {controller: example.com/other}}';

function ingress(field: string | undefined, annotation: string | undefined): string {
  const annotations = annotation === undefined ? '' : `, annotations: {kubernetes.io/ingress.class: ${annotation}}`;
  const className = field === undefined ? '' : `ingressClassName: ${field}, `;
  return `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web${annotations}}, spec: {${className}rules: [{host: a.example}]}}`;
}

interface Row {
  readonly title: string;
  readonly classes: readonly string[];
  readonly field?: string;
  readonly annotation?: string;
  readonly watch?: true;
  readonly ours: boolean;
}

const ROWS: readonly Row[] = [
  { title: 'a class with our controller is ours', classes: [OURS], field: 'edge', ours: true },
  { title: 'a class with a foreign controller is not, whatever its name', classes: [FOREIGN, OURS], field: 'fairlead', ours: false },
  { title: 'a class that does not exist is nobody\'s while others exist', classes: [OURS], field: 'fairlead', ours: false },
  { title: 'our class name counts where no IngressClass exists at all', classes: [], field: 'fairlead', ours: true },
  { title: 'another class name does not', classes: [], field: 'nginx', watch: true, ours: false },
  { title: 'the annotation counts where the field is unset', classes: [FOREIGN], annotation: 'fairlead', ours: true },
  { title: 'the annotation with another value makes an Ingress foreign', classes: [OUR_DEFAULT], annotation: 'nginx', watch: true, ours: false },
  { title: 'the field is stronger than the annotation', classes: [OURS, FOREIGN_DEFAULT], field: 'other', annotation: 'fairlead', ours: false },
  { title: 'without a class the default class decides', classes: [OUR_DEFAULT], ours: true },
  { title: 'without a class and a default class of ours an Ingress is not ours', classes: [OURS, FOREIGN_DEFAULT], ours: false },
  { title: 'without a class an Ingress is ours if we watch for those', classes: [OURS], watch: true, ours: true },
];

for (const { title, classes, field, annotation, watch, ours } of ROWS) {
  test(title, (t) => {
    const settings = { ...STRICT, watchIngressWithoutClass: watch === true };
    const { objects } = storeOf([...classes, ingress(field, annotation)].join('\n---\n'));
    t.is(isOurs([...objects.Ingress.values()][0]!, ourClasses(objects.IngressClass.values(), settings), settings), ours);
  });
}
