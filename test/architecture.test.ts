import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FOREIGN_WORDS, OWNERS } from './support/house.ts';
import { type Import, type Module, parseModule, root, type Tree, treeOf, treeOnDisk } from './support/imports.ts';
import {
  avoidedWords,
  each,
  eachImport,
  importCycles,
  isPackage,
  named,
  unreachable,
  wordFaults,
} from './support/tree-faults.ts';

/** One rule of the house; `planted` is a violation that it must find, so that no rule passes by seeing nothing. */
interface Rule {
  readonly name: string;
  /** One line per violation: where, what, and what to do. Empty when the tree keeps the rule. */
  check(tree: Tree): readonly string[];
  readonly planted: Readonly<Record<string, string>>;
}

const SERVICES = ['Access', 'Analytics', 'Audience', 'Campaign', 'Delivery', 'Tracking'].map((context) => `${context}Service`);
const CONTAINER = /^src\/infrastructure\/container(\.ts$|\/)/;
/** Files that start a process or assemble an instance for a host: they may open the infrastructure, and they run when imported. */
const ENTRY_POINT = /^src\/interfaces\/(cli\/main|npm\/index)\.ts$/;
/** What entry points open: an instance with what it is opened by, and the looks at one from outside. */
const OPENED = /^src\/infrastructure\/(open|container|config|logger|doctor|serving-note)\.ts$/;

/** Of the domain, what every face may use: its errors, and how to close what is open. */
const SHARED = /^src\/domain\/shared\/(errors|clean-up)\.ts$/;

interface Layer {
  readonly files: RegExp;
  /** Targets that every file of the layer may import, beside its own folder. */
  readonly targets: readonly RegExp[];
  readonly builtins: RegExp;
  readonly packages: RegExp;
}

/** First match wins. A file that no row names is a violation of its own. */
const LAYERS: readonly Layer[] = [
  { files: /^src\/domain\/shared\//, targets: [], builtins: /^node:crypto$/, packages: /^$/ },
  { files: /^src\/domain\/\w+\//, targets: [/^src\/domain\/shared\//], builtins: /^node:crypto$/, packages: /^$/ },
  { files: /^src\/application\//, targets: [/^src\/application\//, /^src\/domain\/\w+\//], builtins: /^$/, packages: /^zod$/ },
  { files: CONTAINER, targets: [/^src\/(infrastructure|application|domain)\//], builtins: /./, packages: /./ },
  { files: /^src\/infrastructure\//, targets: [/^src\/(infrastructure|application|domain)\//], builtins: /./, packages: /./ },
  {
    files: ENTRY_POINT,
    targets: [/^src\/interfaces\//, /^src\/application\/application\.ts$/, SHARED, OPENED],
    builtins: /./,
    packages: /./,
  },
  {
    files: /^src\/interfaces\//,
    targets: [/^src\/interfaces\//, /^src\/application\/application\.ts$/, SHARED],
    builtins: /./,
    packages: /./,
  },
];

/** The one statement of the rule who of an audience may be mailed. */
const MAILABLE = 'src/infrastructure/postgres/audience-mailable.ts';

const avoided = avoidedWords();

const rules: readonly Rule[] = [
  {
    name: 'a layer imports only what its row allows',
    check: (tree) => eachImport(tree, (module, found) => layerFault(module, found)),
    planted: { 'src/domain/audience/list.ts': "import type { Page } from '../../application/application.ts';" },
  },
  {
    name: 'a file behind a door is imported only from its own context',
    check: (tree) =>
      eachImport(tree, (module, found) => {
        const context = /^src\/domain\/(\w+)\//.exec(found.target ?? '')?.[1];
        if (context === undefined || context === 'shared' || module.path.startsWith(`src/domain/${context}/`)) return;
        return found.target === `src/domain/${context}/index.ts`
          ? undefined
          : `imports ${found.target}; use the door src/domain/${context}/index.ts`;
      }),
    planted: { 'src/application/launch.ts': "export { Shard } from '../domain/delivery/shard.ts';" },
  },
  {
    name: 'outside the container, infrastructure knows of use cases only by type',
    check: (tree) =>
      eachImport(tree, (module, found) => {
        if (!module.path.startsWith('src/infrastructure/') || CONTAINER.test(module.path)) return;
        const useCase = found.target === 'src/application/application.ts' || /^src\/application\/\w+\//.test(found.target ?? '');
        return useCase && !found.typeOnly ? `imports the use case ${found.target}; only container.ts does that` : undefined;
      }),
    planted: {
      'src/infrastructure/jobs/pg-boss.ts': "import { sendCampaign } from '../../application/delivery/send-campaign.ts';",
    },
  },
  {
    name: 'a package is imported only by its owner',
    check: (tree) =>
      eachImport(tree, (module, found) => {
        if (found.target !== undefined || found.specifier.startsWith('node:') || found.specifier === '(computed)') return;
        const owner = OWNERS.find(([name]) => isPackage(name, found.specifier));
        if (owner === undefined) return `imports ${found.specifier}, which nobody owns; give it a row in OWNERS`;
        return owner[1].test(module.path) ? undefined : `imports ${found.specifier}, which belongs to ${owner[1].source}`;
      }),
    planted: { 'src/infrastructure/files/csv.ts': "const pg = await import('pg');" },
  },
  {
    name: 'imports say their extension and stay inside src',
    check: (tree) =>
      eachImport(tree, (_module, found) => {
        if (found.target === undefined) return;
        return /^src\/.*\.ts$/.test(found.target) ? undefined : `imports ${found.specifier}, which is no .ts file under src`;
      }),
    planted: { 'src/domain/audience/list.ts': "import { x } from './segment';" },
  },
  {
    name: 'no import cycles',
    check: importCycles,
    planted: {
      'src/domain/audience/list.ts': "import type { Segment } from './segment.ts';",
      'src/domain/audience/segment.ts': "import { List } from './list.ts';",
    },
  },
  {
    name: 'process.env is read in infrastructure/config.ts only',
    check: (tree) =>
      each(tree, (module) => {
        if (module.path === 'src/infrastructure/config.ts') return [];
        return named(module.expressions, /^process\.env$/, (name) => `reads ${name}; take the value from the configuration`);
      }),
    planted: { 'src/infrastructure/logger.ts': 'export const level = () => process.env.LOG_LEVEL;' },
  },
  {
    name: 'time and chance reach domain and application through ports',
    check: (tree) =>
      each(tree, (module) => {
        if (!/^src\/(domain|application)\//.test(module.path)) return [];
        const ambient =
          /^(new Date\(\)|Date\(\)|Date\.now|Math\.random|performance\.now|randomUUID\(\)|crypto\.randomUUID|process\.hrtime)$/;
        return named(module.expressions, ambient, (name) => `uses ${name}; ask the Clock or Ids port`);
      }),
    planted: { 'src/application/launch.ts': 'export const at = () => new Date();' },
  },
  {
    name: 'only erasable TypeScript',
    check: (tree) =>
      each(tree, (module) =>
        named(module.syntax, /./, (name) => `has a ${name}, which Node cannot erase (see docs/inside/architecture.md, habit 8)`),
      ),
    planted: { 'src/domain/audience/list.ts': 'export class List { constructor(readonly name: string) {} }' },
  },
  {
    name: 'a class that MikroORM maps has no native private members, which it could not load',
    check(tree) {
      const mapped = new Set([...tree.values()].flatMap((module) => module.mapped.map(({ name }) => name)));
      return each(tree, (module) =>
        module.classes
          .filter((one) => one.nativePrivate && mapped.has(one.name) && module.path.startsWith('src/domain/'))
          .map(({ name, line }) => ({ line, text: `gives ${name} #members; use TypeScript’s private` })),
      );
    },
    planted: {
      'src/domain/audience/list.ts': 'export class List { #name = 1; }',
      'src/infrastructure/postgres/audience-mapping.ts':
        'export const list = defineEntity({ class: List as unknown as X, properties: {} });',
    },
  },
  {
    name: 'errors are handed to the log as they were thrown',
    check: (tree) =>
      each(tree, (module) =>
        linesLike(
          module,
          /\blog\b.*\breason: (String\(|\w+ instanceof Error|`)/,
          'makes words of an error; hand the error itself over',
        ),
      ),
    planted: {
      'src/application/launch.ts': "export const f = (log: Log, error: unknown) => log.warn({ reason: String(error) }, 'x');",
    },
  },
  {
    name: 'statements name their columns',
    check: (tree) =>
      each(tree, (module) =>
        linesLike(
          module,
          /\b(select|returning)\s+(distinct\s+)?(\w+\.)?\*|^[^/]*,\s*[a-z]\w*\.\*/i,
          'selects *, which a prepared statement does not survive when a release adds a column',
        ),
      ),
    planted: { 'src/infrastructure/postgres/audience-store.ts': 'export const list = `select * from x`;' },
  },
  {
    name: 'the rule who may be mailed stands in one file',
    check: (tree) =>
      each(tree, (module) =>
        module.path === MAILABLE || !/^src\/(application|infrastructure)\//.test(module.path)
          ? []
          : linesLike(
              module,
              /\bemail_key = s\.email_key\) |'project', ?'marketing'|\ball ?\(\w*\.?scopes|then '(suppressed|excluded_list)'/,
              `judges who may be mailed; use ${MAILABLE}`,
            ),
      ),
    planted: {
      'src/infrastructure/postgres/audience-preview.ts':
        'export const a = `left join lateral (select array_agg(x.scope) from suppression x where x.email_key = s.email_key) barred on true`;',
    },
  },
  {
    name: 'nothing happens on import',
    check: (tree) =>
      each(tree, (module) =>
        ENTRY_POINT.test(module.path) || /(-worker|^src\/interfaces\/npm\/node-version)\.ts$/.test(module.path)
          ? []
          : named(module.effects, /./, (name) => `runs a ${name} when imported; move it into a function`),
      ),
    planted: { 'src/infrastructure/logger.ts': "console.log('loaded');" },
  },
  {
    name: 'every context has a door that opens with a manual page and names what it exports',
    check(tree) {
      const contexts = new Set([...tree.keys()].flatMap((path) => /^src\/domain\/(\w+)\//.exec(path)?.[1] ?? []));
      contexts.delete('shared');
      return [...contexts].flatMap((context) => {
        const door = tree.get(`src/domain/${context}/index.ts`);
        if (door === undefined) return [`src/domain/${context}/index.ts is missing: the context has no door`];
        const faults = door.opensWithComment
          ? []
          : [`${door.path}:1 does not open with a comment that says what the context owns and promises`];
        return door.exportsAll ? [...faults, `${door.path} exports *; name what it exports`] : faults;
      });
    },
    planted: { 'src/domain/audience/index.ts': "export { List } from './list.ts';" },
  },
  {
    name: 'exactly six classes end in Service, one per context',
    check(tree) {
      const found = [...tree.values()]
        .flatMap((module) => module.classes.map((one) => ({ ...one, path: module.path })))
        .filter((one) => one.name.endsWith('Service'));
      const extra = found.filter((one) => !SERVICES.includes(one.name) || one.path !== homeOf(one.name));
      const missing = SERVICES.filter((name) => !found.some((one) => one.name === name));
      return [
        ...extra.map(
          (one) => `${one.path}:${one.line} declares ${one.name}; only a context's aggregate-root service ends in Service`,
        ),
        ...missing.map((name) => `${homeOf(name)} does not declare ${name}`),
      ];
    },
    planted: { 'src/application/mail-service.ts': 'export class MailService {}' },
  },
  {
    name: 'files stay under 400 lines',
    check: (tree) =>
      each(tree, (module) =>
        module.lines < 400 ? [] : [{ line: module.lines, text: `has ${module.lines} lines; split it by reason to change` }],
      ),
    planted: { 'src/domain/audience/list.ts': 'export const a = 1;\n'.repeat(400) },
  },
  {
    name: 'the glossary’s words to avoid are no names',
    check: (tree) => each(tree, (module) => wordFaults(module, avoided, FOREIGN_WORDS)),
    planted: { 'src/application/launch.ts': 'export interface Report { readonly sentCount: number }' },
  },
  {
    name: 'every source file can be reached from a public entry point',
    check: (tree) => unreachable(tree, ENTRY_POINT),
    planted: { 'src/interfaces/npm/index.ts': 'export {};', 'src/infrastructure/spare.ts': 'export {};' },
  },
];

describe('the source tree', () => {
  const tree = treeOnDisk('src');
  it.each(rules)('keeps the rule: $name', ({ check }) => expect(check(tree)).toEqual([]));

  it('gives every dependency an owner', () => {
    const { dependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { dependencies: Record<string, string> };
    expect(Object.keys(dependencies).filter((name) => !OWNERS.some(([owner]) => isPackage(owner, name)))).toEqual([]);
  });
});

describe('the tests', () => {
  const tree = treeOnDisk('test');

  it('stay under 400 lines', () => {
    expect(each(tree, (module) => (module.lines < 400 ? [] : [{ line: module.lines, text: 'is too long' }]))).toEqual([]);
  });

  it('are neither focused nor skipped without a condition', () => {
    const switched = /^(it|test|describe)\.(only|skip|todo)$/;
    expect(each(tree, (module) => named(module.expressions, switched, (name) => `says ${name}`))).toEqual([]);
  });

  it('all belong to a project of vitest.config.ts', () => {
    const folders = [...readFileSync(`${root}vitest.config.ts`, 'utf8').matchAll(/'test\/(\w[\w-]*)\/\*\*/g)].map(
      (match) => match[1]!,
    );
    const homeless = [...tree.keys()].filter((path) => {
      const folder = /^test\/([\w-]+)\/.*\.test\.ts$/.exec(path)?.[1];
      return folder !== undefined && !folders.includes(folder);
    });
    expect(homeless).toEqual([]);
  });
});

describe('a planted violation', () => {
  it.each(rules)('is caught by the rule: $name', ({ check, planted }) => {
    const faults = check(treeOf(planted));
    expect(faults.filter((fault) => Object.keys(planted).some((path) => fault.startsWith(path)))).not.toEqual([]);
  });

  it.each([
    ['a type import from another layer', "import type { Hono } from 'hono';"],
    ['a type import of another context', "import type { Shard } from '../delivery/index.ts';"],
    ['a re-export', "export * from '../../infrastructure/logger.ts';"],
    ['a dynamic import', "export const load = () => import('mjml');"],
    ['a dynamic import of a computed name', 'export const load = (name: string) => import(name);'],
    ['an import type', "export type Pool = import('pg').Pool;"],
    ['a node module with I/O', "import { readFileSync } from 'node:fs';"],
  ])('of the domain is caught as %s', (_name, text) => {
    expect(rules[0]!.check(treeOf({ 'src/domain/audience/list.ts': text }))).toHaveLength(1);
  });

  it.each([
    ['a variable', 'const chunkSize = 1; export { chunkSize };'],
    ['a parameter', 'export const f = (mailer: string) => mailer;'],
    ['a destructured name', 'export const f = ({ id: [workspace] }: { id: string[] }) => workspace;'],
    ['two words together', 'export const returnPathBounceAddress = 1;'],
    ['snake case', 'export interface Row { contact_id: string }'],
    ['a plural', 'export const users = [];'],
    ['a method', 'export class List { addMember(): void {} }'],
  ])('of the glossary is caught in %s', (_name, text) => {
    expect(wordFaults(parseModule('src/domain/audience/x.ts', text), avoided, FOREIGN_WORDS)).not.toEqual([]);
  });

  it.each([
    ['a word inside another word', 'export const preview = 1; export const absent = 2; export const chunky = 3;'],
    ['a name of a package', "import { type User as Login } from 'x'; export type Y = Login;"],
    ['a key that somebody else chose', "export const options = { user: 'postgres' };"],
    ['a standard’s own compound', 'export const userAgent = 1; export const senderFault = 2;'],
  ])('is not seen in %s', (_name, text) => {
    expect(wordFaults(parseModule('src/domain/audience/x.ts', text), avoided, FOREIGN_WORDS)).toEqual([]);
  });
});

function layerFault(module: Module, found: Import): string | undefined {
  const layer = LAYERS.find(({ files }) => files.test(module.path));
  if (layer === undefined) return 'stands in no layer; every source file belongs to one';
  const what = `imports ${found.target ?? found.specifier}, which its layer may not`;
  if (found.target !== undefined) {
    const own = /^src\/(domain\/\w+|\w+)\//.exec(module.path)?.[0] ?? module.path;
    const allowed = own !== 'src/interfaces/' && found.target.startsWith(own);
    return allowed || layer.targets.some((target) => target.test(found.target!)) ? undefined : what;
  }
  const allowed = found.specifier.startsWith('node:') ? layer.builtins : layer.packages;
  return allowed.test(found.specifier) ? undefined : what;
}

/** What `select *` may read: arrays, a table of the session alone, and a partition that has every column of the other. */
const OWN_COLUMNS = /from unnest\(|pennypost_import_|event_default|from moved|select r\.\*, \(\(row_number/;

/** Lines that look like this, but for comments. */
function linesLike(module: Module, shape: RegExp, text: string): { line: number; text: string }[] {
  const lines = module.text.split('\n');
  return lines.flatMap((line, index) =>
    shape.test(line) && !OWN_COLUMNS.test(line) && !/^\s*(\*|\/)/.test(line) ? [{ line: index + 1, text }] : [],
  );
}

function homeOf(service: string): string {
  const context = service.replace('Service', '').toLowerCase();
  return `src/domain/${context}/${context}-service.ts`;
}
