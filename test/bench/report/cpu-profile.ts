// A V8 CPU profile read: which functions the time of a window was spent in themselves, and the tree of calls for a flame graph.
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Microseconds on the monotonic clock. */
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

export interface Frame {
  readonly name: string;
  /** Such as `proxy/server/http1/connection.ts:120`; empty for what is not JavaScript. */
  readonly place: string;
  self: number;
  total: number;
  readonly children: Map<string, Frame>;
}

export interface SelfTime {
  readonly name: string;
  readonly place: string;
  /** Of the time that was not idle. */
  readonly share: number;
}

/** Where the window's samples were; times in microseconds, idle time left out. */
export function callTree(profile: CpuProfile, from: number, to: number): Frame {
  const parents = new Map<number, number>();
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  for (const { id, children } of profile.nodes) for (const child of children ?? []) parents.set(child, id);
  const root = frame('all', '');
  const paths = new Map<number, readonly ProfileNode[]>();
  let now = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    const took = profile.timeDeltas[index + 1] ?? 0;
    now += profile.timeDeltas[index] ?? 0;
    if (now < from || now > to) continue;
    const path = paths.get(id) ?? pathOf(id, nodes, parents);
    paths.set(id, path);
    if (path.at(-1)?.callFrame.functionName === '(idle)') continue;
    let at = root;
    root.total += took;
    for (const { callFrame } of path) {
      at = child(at, callFrame.functionName || '(anonymous)', placeOf(callFrame));
      at.total += took;
    }
    at.self += took;
  }
  return root;
}

/** Functions by their own time, most first. */
export function selfTimes(root: Frame): readonly SelfTime[] {
  const times = new Map<string, { name: string; place: string; self: number }>();
  const walk = (at: Frame): void => {
    const key = `${at.name} ${at.place}`;
    const entry = times.get(key) ?? { name: at.name, place: at.place, self: 0 };
    entry.self += at.self;
    times.set(key, entry);
    for (const next of at.children.values()) walk(next);
  };
  walk(root);
  return [...times.values()].sort((a, b) => b.self - a.self).map(({ name, place, self }) => ({ name, place, share: self / root.total }));
}

function pathOf(id: number, nodes: ReadonlyMap<number, ProfileNode>, parents: ReadonlyMap<number, number>): readonly ProfileNode[] {
  const path: ProfileNode[] = [];
  for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) path.push(nodes.get(at)!);
  // The first is V8's own root.
  return path.reverse().slice(1);
}

function child(parent: Frame, name: string, place: string): Frame {
  const key = `${name} ${place}`;
  let found = parent.children.get(key);
  if (found === undefined) parent.children.set(key, (found = frame(name, place)));
  return found;
}

function frame(name: string, place: string): Frame {
  return { name, place, self: 0, total: 0, children: new Map() };
}

function placeOf({ url, lineNumber }: ProfileNode['callFrame']): string {
  if (url === '') return '';
  const file = /(?:node_modules\/.*|(?:proxy|controller|certs)\/[^]*|node:.*)$/.exec(url)?.[0] ?? url;
  return `${file}:${lineNumber + 1}`;
}
