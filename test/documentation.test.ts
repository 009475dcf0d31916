import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { referencePages } from './reference/pages.ts';
import { type Module, root, type Tree, treeOf, treeOnDisk } from './support/imports.ts';
import { commentFaults, pageFaults } from './support/plain-language.ts';

const read = (path: string): string => readFileSync(root + path, 'utf8');
const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...pagesUnder('docs')];

describe('docs/reference/errors.md', () => {
  const tree = treeOnDisk('src');
  const documented = documentedErrors(read('docs/reference/errors.md'));

  it('lists every error that src declares, with its kind, and nothing else', () => {
    const declared = errorsOf(tree).map(({ code, kind }) => `${code} (${kind})`);
    const listed = documented
      .filter(({ kind }) => kind !== 'http' && kind !== 'content')
      .map(({ code, kind }) => `${code} (${kind})`);
    expect(listed.toSorted()).toEqual(declared.toSorted());
  });

  it('lists the codes that only exist on the wire or in content, and nothing else', () => {
    const classes = new Set(errorsOf(tree).map(({ code }) => code));
    const used = new Set([...tree.values()].flatMap((module) => codesIn(module)).filter((code) => !classes.has(code)));
    const listed = documented.filter(({ kind }) => kind === 'http' || kind === 'content').map(({ code }) => code);
    expect(listed.toSorted()).toEqual([...used].toSorted());
  });

  it('says for each what it means and what to do', () => {
    expect(documented.filter(({ means, todo }) => means.length < 10 || todo.length < 10)).toEqual([]);
  });

  it('would see an error of any depth that is not listed', () => {
    const planted = treeOf({
      'src/domain/shared/errors.ts': "export abstract class DomainError extends Error { readonly kind = 'invalid'; }",
      'src/domain/audience/list.ts':
        "export class ListTaken extends DomainError { readonly code = 'list.taken'; }\nexport class SlugTaken extends ListTaken {}",
    });
    expect(errorsOf(planted)).toEqual([
      { name: 'ListTaken', code: 'list.taken', kind: 'invalid' },
      { name: 'SlugTaken', code: 'list.taken', kind: 'invalid' },
    ]);
  });

  it('has one class per code, so that a code means one thing', () => {
    const codes = errorsOf(tree).map(({ code }) => code);
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
  });
});

describe.each(Object.entries(referencePages()))('%s', (path, text) => {
  it('is what `npm run docs` writes', () => expect(read(path)).toBe(text));
});

describe.each(pages)('%s', (page) => {
  it('links only to what exists', () => expect(brokenLinks(page)).toEqual([]));

  it('names only npm scripts that package.json has', () => {
    const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: object }).scripts);
    const named = [...read(page).matchAll(/npm (?:run (?:--?\w+ )*([\w:-]+)|(test))\b/g)].map((match) => match[1] ?? match[2]!);
    expect(named.filter((name) => !scripts.includes(name))).toEqual([]);
  });
});

describe('plain language', () => {
  it('is written on every page', () => expect(pages.flatMap((page) => pageFaults(page, read(page)))).toEqual([]));

  it('is written in every comment of src', () => {
    const faults = [...treeOnDisk('src').values()].flatMap(({ path, text }) => commentFaults(path, text));
    expect(faults).toEqual([]);
  });

  it.each([
    ['whom', 'Recipients whom a cancelled campaign did not reach.'],
    ['nobody', 'Nobody is skipped.'],
    ['people who', 'Import people who agreed.'],
    ['is none', '"x" is none.'],
    ['else', 'Confirm it, else it is deleted.'],
  ])('is missing where %s is written', (_word, text) => {
    expect(pageFaults('docs/page.md', `First line.\n${text}`)).toEqual([expect.stringMatching(/^docs\/page\.md:2 "/)]);
    expect(commentFaults('src/file.ts', `let one = 1;\n/** ${text} */\n`)).toHaveLength(1);
  });

  it('is not missed in code, nor where a word has another meaning', () => {
    expect(pageFaults('docs/page.md', 'Nothing else. There is none.\n```\nif x; else y; fi\n```\n')).toEqual([]);
    expect(pageFaults('docs/operate/postgresql.md', 'It runs as `nobody`.')).toEqual([]);
  });
});

describe('CONTRIBUTING.md', () => {
  it('names only files and folders that exist', () => {
    const named = [...read('CONTRIBUTING.md').matchAll(/`((?:src|test|docs)\/[\w./-]+)`/g)].map((match) => match[1]!);
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((path) => !existsSync(root + path))).toEqual([]);
  });
});

describe('the README', () => {
  it('names the test command that .ci/run runs', () => {
    const command = 'npm ci --loglevel=error && npm test';
    expect([read('README.md').includes(command), read('.ci/run').includes(command)]).toEqual([true, true]);
  });
});

describe('a broken link', () => {
  it.each([
    ['a missing file', '[x](docs/nowhere.md)'],
    ['a missing heading', '[x](docs/inside/glossary.md#nowhere)'],
    ['a missing picture', '![x](docs/nowhere.png)'],
  ])('is found: %s', (_name, text) => expect(brokenLinks('README.md', text)).toHaveLength(1));

  it('is not seen in code or in links to the web', () => {
    expect(brokenLinks('README.md', '`[x](nowhere.md)` [y](https://example.com/x.md)\n```\n[z](nowhere.md)\n```\n')).toEqual([]);
  });
});

interface DeclaredError {
  readonly name: string;
  readonly code: string;
  readonly kind: string;
}

/** Concrete classes below DomainError; `code` and `kind` are taken from the nearest class that says them. */
function errorsOf(tree: Tree): DeclaredError[] {
  const classes = new Map([...tree.values()].flatMap((module) => module.classes.map((one) => [one.name, one] as const)));
  const chainOf = (name: string | undefined): string[] =>
    name === undefined || !classes.has(name) ? [] : [name, ...chainOf(classes.get(name)!.extends)];
  return [...classes.values()].flatMap(({ name, abstract }) => {
    const chain = chainOf(name);
    if (abstract || !chain.includes('DomainError')) return [];
    const literal = (member: string): string =>
      chain.map((link) => classes.get(link)!.literals[member]).find((value) => value !== undefined) ??
      `no literal ${member} in ${name}`;
    return [{ name, code: literal('code'), kind: literal('kind') }];
  });
}

/** Codes outside of classes. In rendering every dotted word is one, because most are handed to a helper there. */
function codesIn(module: Module): string[] {
  return (module.path.startsWith('src/infrastructure/rendering/') ? module.dotted : module.codes).map(({ name }) => name);
}

/** Rows `| <a id="code"></a>`code` | kind | meaning | what to do |` of every table; the anchor is where a problem's `type` leads. */
function documentedErrors(page: string): { code: string; kind: string; means: string; todo: string }[] {
  return [...page.matchAll(/^\| <a id="([a-z_]+\.[a-z_]+)"><\/a>`\1` \| (\w+) \| ([^|]+) \| ([^|]+) \|$/gm)].map(
    ([, code, kind, means, todo]) => ({
      code: code!,
      kind: kind!,
      means: means!,
      todo: todo!,
    }),
  );
}

function pagesUnder(folder: string): string[] {
  return readdirSync(root + folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`);
}

/** Relative links and pictures of a page that lead nowhere; a fragment must be a heading of its target. */
function brokenLinks(page: string, text = read(page)): string[] {
  const prose = text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!);
  return links.filter((link) => {
    if (/^(https?|mailto):/.test(link)) return false;
    const [file, fragment] = link.split('#');
    const target = file === '' ? page : posix.join(posix.dirname(page), file!);
    if (!existsSync(root + target)) return true;
    return fragment !== undefined && statSync(root + target).isFile() && !headingsOf(read(target)).includes(fragment);
  });
}

/** Headings as the fragments that a reader of Markdown makes of them: lower case, dashes, punctuation dropped. */
function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map((match) =>
    match[1]!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
