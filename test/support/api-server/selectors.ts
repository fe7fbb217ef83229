// Label and field selectors in their whole grammar. A selector that the API server would refuse is refused here as well.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors and …/field-selectors/
import { badRequest } from './failure.ts';
import { at } from './json.ts';
import type { ApiObject } from './json.ts';
import type { ResourceType } from './resources.ts';

export type Selector = (object: ApiObject) => boolean;

const EVERYTHING: Selector = () => true;

/** Both selectors of a request; empty strings select everything. */
export function parseSelectors(type: ResourceType, labels: string, fields: string): Selector {
  if (labels === '' && fields === '') return EVERYTHING;
  const tests = [...parseLabels(labels), ...parseFields(type, fields)];
  return (object) => tests.every((test) => test(object));
}

function parseLabels(text: string): Selector[] {
  return splitOutsideParentheses(text).map((requirement) => {
    const set = /^([^\s=!,()]+)\s+(in|notin)\s+\(([^()]*)\)$/.exec(requirement);
    if (set !== null) {
      const [, key = '', operator, list = ''] = set;
      const values = new Set(list.split(',').map((value) => value.trim()));
      return operator === 'in' ? (object) => values.has(label(object, key) ?? '\0') : (object) => !values.has(label(object, key) ?? '\0');
    }
    const equality = /^([^\s=!,()]+)\s*(==|=|!=)\s*([^\s=!,()]*)$/.exec(requirement);
    if (equality !== null) {
      const [, key = '', operator, value = ''] = equality;
      return operator === '!=' ? (object) => label(object, key) !== value : (object) => label(object, key) === value;
    }
    const existence = /^(!?)\s*([^\s=!,()]+)$/.exec(requirement);
    if (existence === null) throw badRequest(`unable to parse requirement: ${requirement}`);
    const [, not, key = ''] = existence;
    return (object) => (label(object, key) !== undefined) === (not === '');
  });
}

function parseFields(type: ResourceType, text: string): Selector[] {
  const known = new Set(['metadata.name', ...(type.namespaced ? ['metadata.namespace'] : []), ...type.selectable]);
  return text.split(',').filter((part) => part !== '').map((requirement) => {
    const match = /^([^=!]+)(==|=|!=)(.*)$/.exec(requirement);
    if (match === null) throw badRequest(`invalid selector: '${text}'; can't understand '${requirement}'`);
    const [, field = '', operator, value = ''] = match;
    if (!known.has(field)) throw badRequest(`field label not supported: ${field}`);
    return (object) => (String(at(object, field) ?? '') === value) === (operator !== '!=');
  });
}

function label(object: ApiObject, key: string): string | undefined {
  const labels = object.metadata.labels;
  return labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const character of text) {
    if (character === '(') depth++;
    if (character === ')') depth--;
    if (character === ',' && depth === 0) {
      parts.push(part.trim());
      part = '';
    } else {
      part += character;
    }
  }
  parts.push(part.trim());
  return parts.filter((each) => each !== '');
}
