// The Kubernetes objects of some folders of YAML and JSON, kept up to date while people edit them: the same KubeState that the
// API gives. Events only say where to look; what counts is what is read then, after the file has come to rest, and a slow look
// at everything finds what no event told. A file that is half-written or broken changes nothing.
import { readFileSync, statSync } from 'node:fs';
import { basename, normalize, sep } from 'node:path';
import type { Origin } from '../proxy/table/origin.ts';
import { Claims } from './files/claims.ts';
import { lineInPiece } from './files/locate.ts';
import { failedRecord, fileOrigin, recordOf } from './files/record.ts';
import type { FileClaim, FileRecord, Place } from './files/record.ts';
import { emptyTree, errorCode, formatOf, isHidden, scanFolder, stampOf } from './files/scan.ts';
import { FolderWatch } from './files/watch.ts';
import { KubeStore } from './kube/state.ts';
import type { Change, KubeState, Source } from './kube/state.ts';
import type { Problem } from './model/problem.ts';

export interface FileSourceOptions {
  /** False: the folders are read once, at start. */
  readonly watch?: boolean;
  /** Milliseconds between two looks at everything, for what no event tells (a link to a file elsewhere, network file systems); 5000. More where one look takes long. */
  readonly rescanMs?: number;
}

/** How long a file must be left alone before it is read: a write in several steps is one change. Milliseconds. */
const SETTLE_MS = 15;
/** A file that is never left alone is read nevertheless. */
const MAX_SETTLE_MS = 250;
/** How much longer, if what is read looks like half of something: gone, empty, broken, or cut off. */
const SECOND_LOOK_MS = 40;
/** What is due within this time is taken along, so that a move from one file to another is one change. */
const TAKE_ALONG_MS = 5;
const MAX_FILE_BYTES = 10 * 1024 * 1024;

interface Pending {
  readonly since: number;
  readonly due: number;
  /** True: it was looked at already, and what is there now counts. */
  readonly second: boolean;
}

export class FileSource implements Source {
  readonly #folders: readonly string[];
  readonly #watched: boolean;
  readonly #rescanMs: number;
  readonly #store = new KubeStore();
  readonly #claims = new Claims<FileClaim>(this.#store);
  readonly #records = new Map<string, FileRecord>();
  #places = new WeakMap<Origin, Place>();
  #folderProblems: readonly Problem[] = [];

  readonly #watch = new FolderWatch((path, written) => this.#onEvent(path, written));
  readonly #pending = new Map<string, Pending>();
  #timer: NodeJS.Timeout | undefined;
  #rescanTimer: NodeJS.Timeout | undefined;
  #onChange: (changes: readonly Change[]) => void = () => {};
  #running = false;

  /** Folders are read with all that is under them; where an object stands in several places, the first folder and then the first path wins. */
  constructor(folders: readonly string[], options: FileSourceOptions = {}) {
    this.#folders = folders.map((folder) => normalize(folder).replace(/(?<=.)\/+$/, ''));
    this.#watched = options.watch ?? true;
    this.#rescanMs = options.rescanMs ?? 5000;
  }

  get state(): KubeState {
    return this.#store;
  }

  /** Rejects if one of the folders is not there. `onChange` is also called, with an empty list, when only `problems()` changed. */
  async start(onChange: (changes: readonly Change[]) => void): Promise<void> {
    for (const folder of this.#folders) {
      if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) throw new Error(`${folder} is not a folder`);
    }
    this.#onChange = onChange;
    this.#running = this.#watched;
    this.#look(new Map(), true, true);
    if (!this.#running) return;
    // What came between reading and watching is found by looking again.
    for (const folder of this.#folders) this.#onEvent(folder, false);
    this.#scheduleRescan(this.#rescanMs);
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#watch.close();
    this.#pending.clear();
    clearTimeout(this.#timer);
    clearTimeout(this.#rescanTimer);
  }

  problems(): readonly Problem[] {
    const problems: Problem[] = [...this.#folderProblems];
    for (const record of [...this.#records.values()].toSorted((a, b) => (a.rank < b.rank ? -1 : 1))) {
      if (record.failure !== undefined) problems.push(record.failure);
      problems.push(...record.problems);
      for (const claim of record.claims) {
        if (claim.problems.length === 0) continue;
        const goesOn = this.#claims.servesLastGood(claim);
        problems.push(...(goesOn ? claim.problems.map((problem): Problem => ({ ...problem, hint: 'The last good version of this object stays in force until it is repaired.', effect: 'None' })) : claim.problems));
      }
    }
    for (const { claim, winner, identical } of this.#claims.losers()) {
      const origin = { kind: claim.kind, namespace: claim.object?.metadata.namespace ?? '', name: claim.object?.metadata.name ?? '' };
      this.#places.set(origin, claim.place);
      problems.push({
        severity: identical ? 'warning' : 'error',
        reason: 'DuplicateObject',
        origin,
        message: `the same object stands in ${winner.file} as well${winner.file === claim.file ? ', further up' : ', which comes first'}; each object is allowed once`,
        hint: 'Delete one of them, or give it another name.',
        effect: identical ? 'None' : 'ObjectRefused',
      });
    }
    return problems;
  }

  locate(origin: Origin): { readonly file: string; readonly line: number } | undefined {
    const place = this.#places.get(origin) ?? this.#claims.owner(origin.kind, `${origin.namespace}/${origin.name}`)?.place;
    if (place === undefined) return origin.kind === 'File' && this.#records.has(origin.name) ? { file: origin.name, line: 1 } : undefined;
    if ('line' in place) return place;
    return { file: place.file, line: place.startLine + lineInPiece(place.piece.text, place.item, origin.field) + 1 };
  }

  #onEvent(path: string, written: boolean): void {
    const name = basename(path);
    if (!isHidden(name) || this.#folders.includes(path)) this.#settle(path, written);
    // `..data` and its like: a mounted ConfigMap was exchanged. Other hidden names are editors' business.
    else if (name.startsWith('..')) for (const folder of this.#folders) this.#settle(folder, false);
  }

  /** Lets a path come to rest. What only got its name just now (a rename over the file) is complete, and waits no longer than the first event said. */
  #settle(path: string, written: boolean): void {
    const now = performance.now();
    const waiting = this.#pending.get(path);
    const since = waiting?.since ?? now;
    const due = written || waiting === undefined ? Math.min(now + SETTLE_MS, since + MAX_SETTLE_MS) : Math.min(now + SETTLE_MS, waiting.due);
    this.#queue(path, { since, due, second: false });
  }

  #queue(path: string, pending: Pending): void {
    if (!this.#running) return;
    this.#pending.set(path, pending);
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#pending.size === 0) return;
    const due = Math.min(...[...this.#pending.values()].map((pending) => pending.due));
    this.#timer = setTimeout(() => this.#onDue(), Math.max(1, due - performance.now()));
  }

  #onDue(): void {
    const until = performance.now() + TAKE_ALONG_MS;
    const due = new Map<string, boolean>();
    for (const [path, pending] of this.#pending) {
      if (pending.due > until) continue;
      due.set(path, pending.second);
      this.#pending.delete(path);
    }
    this.#look(due, false, false);
    this.#schedule();
  }

  #scheduleRescan(delayMs: number): void {
    this.#rescanTimer = setTimeout(() => {
      const begin = performance.now();
      this.#look(new Map(), true, false);
      if (this.#running) this.#scheduleRescan(Math.max(this.#rescanMs, 100 * (performance.now() - begin)));
    }, delayMs);
  }

  /** Looks at some paths (path → is this the second look?), or at everything, and applies what it finds as one change. */
  #look(paths: ReadonlyMap<string, boolean>, everything: boolean, first: boolean): void {
    const before = first ? '' : JSON.stringify(this.problems());
    const fresh = new Map<string, FileRecord | 'gone'>();
    let rescan = everything;
    for (const [path, second] of paths) {
      const found = this.#read(path, second);
      if (found === 'folder') rescan = true;
      else if (found !== undefined) fresh.set(path, found);
    }
    if (rescan) {
      for (const path of this.#rescan()) {
        const found = fresh.has(path) ? undefined : this.#read(path, first);
        if (found !== undefined && found !== 'folder') fresh.set(path, found);
      }
    }
    const changes = this.#apply(fresh);
    if (!first && (changes.length > 0 || before !== JSON.stringify(this.problems()))) this.#onChange(changes);
  }

  /** Reads one file. Undefined: nothing is new, or it needs a second look, which is queued. `folder`: it is none, so that more than it may have changed. */
  #read(path: string, second: boolean): FileRecord | 'gone' | 'folder' | undefined {
    const old = this.#records.get(path);
    const format = formatOf(basename(path));
    const file = { path, rank: this.#rankOf(path), stamp: '' };
    const later = (): undefined => {
      const now = performance.now();
      this.#queue(path, { since: now, due: now + SECOND_LOOK_MS, second: true });
    };
    let bytes: Buffer;
    try {
      const stats = statSync(path, { throwIfNoEntry: false });
      if (stats?.isDirectory() === true || (stats === undefined && this.#isFolder(path))) return 'folder';
      if (stats === undefined || !stats.isFile() || format === undefined) return old === undefined ? undefined : second || !this.#running ? 'gone' : later();
      file.stamp = stampOf(stats);
      if (stats.size > MAX_FILE_BYTES) return failedRecord(file, old, { reason: 'FileTooLarge', message: `the file has ${stats.size} bytes; at most ${MAX_FILE_BYTES} are allowed` });
      bytes = readFileSync(path);
    } catch (error) {
      return failedRecord(file, old, { reason: 'FileUnreadable', message: `the file cannot be read (${errorCode(error)})` });
    }
    const text = decodeUtf8(bytes);
    if (text === undefined) return !second ? later() : failedRecord(file, old, { reason: 'FileNotParsed', message: 'the file is not UTF-8 text' });
    if (text === old?.text) return old.failure === undefined && old.stamp === file.stamp ? undefined : { ...old, stamp: file.stamp, failure: undefined };
    if (text.trim() === '' && old !== undefined && old.claims.length > 0) {
      return !second ? later() : failedRecord(file, old, { reason: 'FileEmpty', message: 'the file is empty' });
    }
    if (!second && looksCutOff(text, format, old?.text)) return later();
    const record = recordOf({ ...file, format, text }, old);
    return record.failure !== undefined && !second ? later() : record;
  }

  /** Looks at all folders, watches what is there, and gives the paths of the files that are new, changed or gone. */
  #rescan(): readonly string[] {
    const tree = emptyTree();
    for (const folder of this.#folders) scanFolder(folder, tree);
    const watchFailure = this.#running ? this.#watch.follow(tree.folders) : undefined;
    this.#folderProblems = [...folderProblems(tree.unreadable), ...(watchFailure === undefined ? [] : [notWatched(this.#folders[0] ?? '', watchFailure, this.#rescanMs)])];
    const isUnreadable = (path: string): boolean => [...tree.unreadable.keys()].some((gap) => path === gap || path.startsWith(gap + sep));
    const changed = [...tree.files].filter(([path, stamp]) => this.#records.get(path)?.stamp !== stamp).map(([path]) => path);
    const gone = [...this.#records.keys()].filter((path) => !tree.files.has(path) && !isUnreadable(path));
    return [...changed, ...gone];
  }

  #apply(fresh: ReadonlyMap<string, FileRecord | 'gone'>): readonly Change[] {
    const oldClaims: FileClaim[] = [];
    const freshClaims: FileClaim[] = [];
    for (const [path, record] of fresh) {
      const old = this.#records.get(path);
      if (old !== undefined) oldClaims.push(...old.claims);
      if (record === 'gone') {
        this.#records.delete(path);
        continue;
      }
      this.#records.set(path, record);
      freshClaims.push(...record.claims);
      for (const [origin, place] of record.places) this.#places.set(origin, place);
    }
    return this.#claims.replace(oldClaims, freshClaims);
  }

  #isFolder(path: string): boolean {
    return this.#folders.includes(path) || this.#watch.follows(path);
  }

  /** Order of files: by folder as given, then by path. */
  #rankOf(path: string): string {
    const index = this.#folders.findIndex((folder) => folder === '.' || path.startsWith(folder.endsWith(sep) ? folder : folder + sep));
    return `${String(index).padStart(4, '0')} ${path}`;
  }
}

/** Undefined if it is not UTF-8. A byte order mark is left out. */
function decodeUtf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Half of a YAML file may well parse, as fewer objects or an object with less in it: the text ends within a line, or is the beginning of what stood there before. */
function looksCutOff(text: string, format: 'yaml' | 'json', old: string | undefined): boolean {
  if (format === 'json') return false;
  return (!text.endsWith('\n') && old?.endsWith('\n') !== false) || old?.startsWith(text) === true;
}

function folderProblems(unreadable: ReadonlyMap<string, string>): readonly Problem[] {
  return [...unreadable].map(([path, code]) => ({
    severity: 'error',
    reason: 'FileUnreadable',
    origin: fileOrigin(path),
    message: `it cannot be read (${code})`,
    hint: 'The objects that were read from it before stay in force.',
    effect: 'None',
  }));
}

function notWatched(folder: string, code: string, rescanMs: number): Problem {
  return {
    severity: 'warning',
    reason: 'FolderNotWatched',
    origin: fileOrigin(folder),
    message: `the system refuses to watch all folders (${code}), so that a change may be noticed only after ${rescanMs / 1000} seconds`,
    hint: 'Raise the limit fs.inotify.max_user_watches.',
    effect: 'None',
  };
}
