// Says in a few words what a new table changed, for the one log line of every version: "+1 route shop.example.com/api,
// ~1 endpoints shop/web:80 (ready 2/2 to 3/3)". Names come first, then counts; long lists are cut.
import { equal } from '../../proxy/table/equal.ts';
import type { Endpoint } from '../../proxy/table/cluster.ts';
import type { Route, VirtualHost } from '../../proxy/table/route.ts';
import type { SectionName } from '../../proxy/table/snapshot.ts';
import type { Edit } from './versions.ts';

const NAMED = 3;
const WORDS: { readonly [S in SectionName]: string } = {
  listeners: 'listener',
  virtualHosts: 'route',
  clusters: 'cluster',
  endpoints: 'endpoints',
  certificates: 'certificate',
};

/** Names by sign (`+` new, `~` changed, `-` gone), for one section. */
type Changes = { readonly [Sign in '+' | '~' | '-']: string[] };

/** One line without line feed; empty if nothing changed. */
export function describeEdits(edits: readonly Edit[]): string {
  const bySection = new Map<SectionName, Changes>();
  for (const edit of edits) {
    let changes = bySection.get(edit.section);
    if (changes === undefined) bySection.set(edit.section, (changes = { '+': [], '~': [], '-': [] }));
    if (edit.section === 'virtualHosts') addRoutes(changes, edit);
    else changes[edit.before === undefined ? '+' : edit.after === undefined ? '-' : '~'].push(nameOf(edit));
  }
  const parts: string[] = [];
  for (const [section, changes] of bySection) {
    for (const sign of ['+', '~', '-'] as const) {
      if (changes[sign].length > 0) parts.push(`${sign}${changes[sign].length} ${WORDS[section]} ${list(changes[sign])}`);
    }
  }
  return parts.join(', ');
}

function addRoutes(changes: Changes, edit: Edit): void {
  const before = edit.before as VirtualHost | undefined;
  const after = edit.after as VirtualHost | undefined;
  const hostname = (after ?? before)?.hostname ?? edit.key;
  const old = new Map((before?.routes ?? []).map((route) => [route.name, route]));
  for (const route of after?.routes ?? []) {
    const known = old.get(route.name);
    old.delete(route.name);
    if (known === undefined) changes['+'].push(hostname + pathOf(route));
    else if (known !== route && !equal(known, route)) changes['~'].push(hostname + pathOf(route));
  }
  for (const route of old.values()) changes['-'].push(hostname + pathOf(route));
  if (before !== undefined && after !== undefined && before.certificate !== after.certificate) changes['~'].push(`${hostname} (certificate)`);
}

function pathOf(route: Route): string {
  return route.match.path.value;
}

function nameOf(edit: Edit): string {
  if (edit.section === 'certificates') return edit.key.slice(0, 'sha256/'.length + 12);
  if (edit.section !== 'endpoints') return edit.key;
  return edit.after === undefined ? edit.key : `${edit.key} (ready ${ready(edit.before)} to ${ready(edit.after)})`;
}

/** `2/3`: two of three endpoints are ready. */
function ready(entry: Edit['before']): string {
  const endpoints = (entry ?? []) as readonly Endpoint[];
  return `${endpoints.filter((endpoint) => endpoint.ready).length}/${endpoints.length}`;
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(' ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}
