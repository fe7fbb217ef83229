// Lists as kubectl shows them: the server names the columns (`as=Table`).
// https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
import { isMapping } from './json.ts';
import type { ApiObject } from './json.ts';

interface Column {
  readonly name: string;
  cell(object: ApiObject): string;
}

const NAME: Column = { name: 'Name', cell: ({ metadata }) => metadata.name ?? '' };
const AGE: Column = { name: 'Age', cell: ({ metadata }) => `${Math.max(0, Math.round((Date.now() - Date.parse(metadata.creationTimestamp ?? '')) / 1000))}s` };

const COLUMNS: ReadonlyMap<string, readonly Column[]> = new Map([
  ['Ingress', [
    { name: 'Class', cell: (object) => textAt(object.spec, 'ingressClassName') || '<none>' },
    { name: 'Hosts', cell: (object) => listAt(object.spec, 'rules').map((rule) => textAt(rule, 'host') || '*').join(',') || '*' },
    { name: 'Address', cell: (object) => listAt(mappingAt(object.status, 'loadBalancer'), 'ingress').map((point) => textAt(point, 'ip') || textAt(point, 'hostname')).join(',') },
    { name: 'Ports', cell: (object) => (listAt(object.spec, 'tls').length > 0 ? '80, 443' : '80') },
  ]],
]);

/** A Table of these objects, as JSON text's value. */
export function asTable(kind: string, objects: readonly ApiObject[], resourceVersion: string, more: object): object {
  const columns = [NAME, ...(COLUMNS.get(kind) ?? []), AGE];
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion, ...more },
    columnDefinitions: columns.map(({ name }) => ({ name, type: 'string', format: name === 'Name' ? 'name' : '', description: '', priority: 0 })),
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.cell(object)),
      object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata },
    })),
  };
}

function mappingAt(value: unknown, field: string): unknown {
  return isMapping(value) ? value[field] : undefined;
}

function textAt(value: unknown, field: string): string {
  const found = mappingAt(value, field);
  return typeof found === 'string' ? found : '';
}

function listAt(value: unknown, field: string): unknown[] {
  const found = mappingAt(value, field);
  return Array.isArray(found) ? found : [];
}
