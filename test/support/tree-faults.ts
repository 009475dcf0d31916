import { readFileSync } from 'node:fs';
import { type Import, type Mention, type Module, root, type Tree } from './imports.ts';

/** Something wrong in a file; `text` goes on after the path and the line. */
export interface Fault {
  readonly line: number;
  readonly text: string;
}

export function each(tree: Tree, faults: (module: Module) => readonly Fault[]): string[] {
  return [...tree.values()].flatMap((module) => faults(module).map(({ line, text }) => `${module.path}:${line} ${text}`));
}

export function eachImport(tree: Tree, fault: (module: Module, found: Import) => string | undefined): string[] {
  return each(tree, (module) =>
    module.imports.flatMap((found) => {
      const text = fault(module, found);
      return text === undefined ? [] : [{ line: found.line, text }];
    }),
  );
}

export function named(mentions: readonly Mention[], pattern: RegExp, text: (name: string) => string): Fault[] {
  return mentions.filter(({ name }) => pattern.test(name)).map(({ name, line }) => ({ line, text: text(name) }));
}

/** `@hono/*` owns every package of the scope, `pg` owns `pg` and `pg/lib/...`. */
export function isPackage(owner: string, specifier: string): boolean {
  if (owner.endsWith('/*')) return specifier.startsWith(owner.slice(0, -1));
  return specifier === owner || specifier.startsWith(`${owner}/`);
}

/** Depth first; a file met again on the way down closes a cycle, told once, from its first path in the alphabet. */
export function importCycles(tree: Tree): string[] {
  const cycles = new Set<string>();
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    const since = way.indexOf(path);
    if (since >= 0) {
      const cycle = way.slice(since);
      const first = cycle.indexOf([...cycle].sort()[0]!);
      const turned = [...cycle.slice(first), ...cycle.slice(0, first)];
      cycles.add([...turned, turned[0]].join(' -> '));
      return;
    }
    if (done.has(path)) return;
    for (const { target } of tree.get(path)?.imports ?? []) if (target !== undefined) visit(target, [...way, path]);
    done.add(path);
  };
  for (const path of tree.keys()) visit(path, []);
  return [...cycles].sort();
}

/** Files that no face needs: dead, or alive only for a test or a benchmark. Silent until a face exists. */
export function unreachable(tree: Tree, entryPoint: RegExp): string[] {
  const waiting = [...tree.keys()].filter((path) => entryPoint.test(path));
  if (waiting.length === 0) return [];
  const reached = new Set<string>();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    for (const { target } of tree.get(path)?.imports ?? []) if (target !== undefined) waiting.push(target);
  }
  return [...tree.keys()]
    .filter((path) => !reached.has(path))
    .map((path) => `${path} is imported by no face; wire it or remove it`);
}

/** The third column of docs/inside/glossary.md: `workspace`, `batch job`, ... */
export function avoidedWords(): readonly string[] {
  const page = readFileSync(`${root}docs/inside/glossary.md`, 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| '));
  return rows
    .slice(1)
    .flatMap((row) => (row.split('|')[3] ?? '').replace(/\(.*?\)/g, '').split(','))
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** Compounds in which a word to avoid is the glossary's own, or a standard's. */
const OWN_COMPOUNDS = /\b(sender (domain|fault)|user agent)s?\b/g;

/**
 * Names, and the file's own name, that contain a word to avoid.
 * @param foreign where a word has a second meaning that is not ours to change
 */
export function wordFaults(module: Module, avoided: readonly string[], foreign: Readonly<Record<string, RegExp>>): Fault[] {
  const file = { name: module.path.slice(module.path.lastIndexOf('/') + 1, -'.ts'.length), line: 1 };
  return [file, ...module.declared].flatMap(({ name, line }) => {
    const spaced = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replace(/[_-]/g, ' ');
    const words = spaced.toLowerCase().replace(OWN_COMPOUNDS, '');
    const fault = avoided.find((word) => new RegExp(`\\b${word}s?\\b`).test(words) && foreign[word]?.test(module.path) !== true);
    return fault === undefined
      ? []
      : [{ line, text: `names something ${name}; "${fault}" is a word to avoid (docs/inside/glossary.md)` }];
  });
}
