import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Comment, type Program, parseSync, Visitor } from 'oxc-parser';

/** The checkout, with a slash at its end. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

/** One import, re-export, dynamic import or `import('...')` type. */
export interface Import {
  /** As written: `../shared/ids.ts`, `node:crypto`, `kysely`. */
  readonly specifier: string;
  /** Path from the checkout for a relative import; undefined for packages and `node:` modules. */
  readonly target: string | undefined;
  readonly typeOnly: boolean;
  readonly line: number;
}

export interface DeclaredClass {
  readonly name: string;
  readonly extends: string | undefined;
  /** Members that are string literals: `{ code: 'campaign.not_editable', kind: 'conflict' }`. */
  readonly literals: Readonly<Record<string, string>>;
  readonly abstract: boolean;
  /** It has `#members`. */
  readonly nativePrivate: boolean;
  readonly line: number;
}

/** A name that this file gives to something, or a piece of syntax that stands in it. */
export interface Mention {
  readonly name: string;
  readonly line: number;
}

/** What the rules need to know about one source file. */
export interface Module {
  readonly path: string;
  readonly lines: number;
  readonly text: string;
  readonly imports: readonly Import[];
  readonly classes: readonly DeclaredClass[];
  /** Names chosen here: variables, parameters, functions, types, members. Imported names and object keys are somebody else's. */
  readonly declared: readonly Mention[];
  /** `process.env`, `Date.now`, `new Date()`: member expressions of globals, and constructions without an argument. */
  readonly expressions: readonly Mention[];
  /** Dotted words as string literals: codes, scopes, file names. */
  readonly dotted: readonly Mention[];
  /** Those that are said to be codes: `new HttpProblem(413, 'request.too_large', ...)`, `{ code: 'internal.error' }`. */
  readonly codes: readonly Mention[];
  /** Classes that `defineEntity({ class })` maps here. */
  readonly mapped: readonly Mention[];
  /** Syntax that Node cannot erase. */
  readonly syntax: readonly Mention[];
  /** Statements that do something when the module is imported. */
  readonly effects: readonly Mention[];
  readonly opensWithComment: boolean;
  readonly exportsAll: boolean;
}

/** Source files by their path from the checkout. */
export type Tree = ReadonlyMap<string, Module>;

/** Every TypeScript file under the folders, parsed. */
export function treeOnDisk(...folders: readonly string[]): Tree {
  const tree = new Map<string, Module>();
  for (const folder of folders) {
    for (const entry of readdirSync(root + folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
      const path = posix.join(entry.parentPath.slice(root.length), entry.name);
      tree.set(path, parseModule(path, readFileSync(root + path, 'utf8')));
    }
  }
  return tree;
}

/** The same from memory: `{ 'src/domain/audience/list.ts': 'import ...' }`. */
export function treeOf(files: Readonly<Record<string, string>>): Tree {
  return new Map(Object.entries(files).map(([path, text]) => [path, parseModule(path, text)]));
}

/** @throws Error when the text is not TypeScript. */
export function parseModule(path: string, text: string): Module {
  const { program, module, comments, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0]!.message}`);
  const lineOf = lineFinder(text);
  const imports: Import[] = [];
  const imported = (specifier: string, typeOnly: boolean, start: number): void => {
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : undefined;
    imports.push({ specifier, target, typeOnly, line: lineOf(start) });
  };

  for (const found of module.staticImports) {
    const typeOnly = found.entries.length > 0 && found.entries.every((entry) => entry.isType);
    imported(found.moduleRequest.value, typeOnly, found.start);
  }
  for (const found of module.staticExports) {
    const from = found.entries.find((entry) => entry.moduleRequest !== null);
    if (from?.moduleRequest != null)
      imported(
        from.moduleRequest.value,
        found.entries.every((entry) => entry.isType),
        found.start,
      );
  }
  const facts = walk(program, lineOf, imported);
  return {
    path,
    lines: text.trimEnd().split('\n').length,
    text,
    imports,
    ...facts,
    opensWithComment: opensWithComment(comments, program),
    exportsAll: program.body.some((statement) => statement.type === 'ExportAllDeclaration'),
  };
}

/** Offsets to 1-based lines; by halving, because a tree has some hundred thousand names. */
function lineFinder(text: string): (offset: number) => number {
  const ends = [...text.matchAll(/\n/g)].map((match) => match.index);
  return (offset) => {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  };
}

type Facts = Pick<Module, 'classes' | 'codes' | 'declared' | 'dotted' | 'expressions' | 'mapped' | 'syntax' | 'effects'>;

function walk(
  program: Program,
  lineOf: (offset: number) => number,
  imported: (specifier: string, typeOnly: boolean, start: number) => void,
): Facts {
  const classes: DeclaredClass[] = [];
  const declared: Mention[] = [];
  const expressions: Mention[] = [];
  const codes: Mention[] = [];
  const dotted: Mention[] = [];
  const mapped: Mention[] = [];
  const syntax: Mention[] = [];
  const note = (into: Mention[], name: string, node: { start: number }): void => {
    into.push({ name, line: lineOf(node.start) });
  };
  const declare = (node: object | null | undefined): void => {
    if (node == null || !('type' in node)) return;
    const pattern = node as Pattern;
    if (pattern.type === 'Identifier') note(declared, pattern.name, pattern);
    else if (pattern.type === 'AssignmentPattern') declare(pattern.left);
    else if (pattern.type === 'RestElement') declare(pattern.argument);
    else if (pattern.type === 'ArrayPattern') for (const element of pattern.elements) declare(element);
    else if (pattern.type === 'ObjectPattern') for (const property of pattern.properties) declare(property);
    else if (pattern.type === 'Property') declare(pattern.value);
  };
  const noteDotted = (into: Mention[], node: { type: string; value?: unknown; start: number } | undefined): void => {
    if (node?.type === 'Literal' && /^[a-z_]+\.[a-z_]+$/.test(String(node.value))) note(into, String(node.value), node);
  };
  const member = (node: { key: object; computed: boolean }): void => {
    if (!node.computed) declare(node.key);
  };
  const callable = (node: { id?: object | null; params: readonly object[] }): void => {
    declare(node.id);
    for (const parameter of node.params) declare(parameter);
  };

  new Visitor({
    ImportExpression: (node) =>
      imported(node.source.type === 'Literal' ? String(node.source.value) : '(computed)', false, node.start),
    TSImportType: (node) => imported(node.source.value, true, node.start),
    VariableDeclarator: (node) => declare(node.id),
    FunctionDeclaration: callable,
    FunctionExpression: callable,
    ArrowFunctionExpression: callable,
    TSTypeAliasDeclaration: (node) => declare(node.id),
    TSInterfaceDeclaration: (node) => declare(node.id),
    TSPropertySignature: member,
    TSMethodSignature: member,
    PropertyDefinition: member,
    MethodDefinition: member,
    TSAbstractPropertyDefinition: member,
    TSAbstractMethodDefinition: member,
    ClassDeclaration(node) {
      declare(node.id);
      const literals = node.body.body.flatMap((part) => {
        if (part.type !== 'PropertyDefinition' || part.key.type !== 'Identifier' || part.value?.type !== 'Literal') return [];
        return typeof part.value.value === 'string' ? [[part.key.name, part.value.value] as const] : [];
      });
      classes.push({
        name: node.id?.name ?? '(default)',
        extends: node.superClass?.type === 'Identifier' ? node.superClass.name : undefined,
        literals: Object.fromEntries(literals),
        abstract: node.abstract ?? false,
        nativePrivate: node.body.body.some((part) => 'key' in part && part.key.type === 'PrivateIdentifier'),
        line: lineOf(node.start),
      });
    },
    MemberExpression(node) {
      if (node.object.type !== 'Identifier' || node.property.type !== 'Identifier' || node.computed) return;
      note(expressions, `${node.object.name}.${node.property.name}`, node);
    },
    Literal: (node) => noteDotted(dotted, node),
    Property(node) {
      if (node.key.type === 'Identifier' && node.key.name === 'code') noteDotted(codes, node.value);
    },
    NewExpression(node) {
      if (node.callee.type === 'Identifier' && node.callee.name === 'HttpProblem') noteDotted(codes, node.arguments[1]);
      if (node.callee.type === 'Identifier' && node.arguments.length === 0) note(expressions, `new ${node.callee.name}()`, node);
    },
    CallExpression(node) {
      if (node.callee.type !== 'Identifier') return;
      note(expressions, `${node.callee.name}()`, node);
      const options = node.callee.name === 'defineEntity' ? node.arguments[0] : undefined;
      if (options?.type !== 'ObjectExpression') return;
      for (const property of options.properties) {
        if (property.type !== 'Property' || property.key.type !== 'Identifier' || property.key.name !== 'class') continue;
        let value = property.value;
        while (value.type === 'TSAsExpression') value = value.expression;
        if (value.type === 'Identifier') note(mapped, value.name, value);
      }
    },
    TSEnumDeclaration: (node) => note(syntax, 'enum', node),
    TSModuleDeclaration: (node) => note(syntax, 'namespace', node),
    TSParameterProperty: (node) => note(syntax, 'parameter property', node),
    TSImportEqualsDeclaration: (node) => note(syntax, 'import =', node),
    TSExportAssignment: (node) => note(syntax, 'export =', node),
    Decorator: (node) => note(syntax, 'decorator', node),
  }).visit(program);

  const harmless = /Declaration$|^EmptyStatement$/;
  const effects = program.body
    .filter((statement) => !harmless.test(statement.type))
    .map((statement) => ({ name: statement.type, line: lineOf(statement.start) }));
  return { classes, codes, declared, dotted, expressions, mapped, syntax, effects };
}

/** The corner of ESTree that binding patterns are made of. */
type Pattern =
  | { readonly type: 'Identifier'; readonly name: string; readonly start: number }
  | { readonly type: 'AssignmentPattern'; readonly left: object }
  | { readonly type: 'RestElement'; readonly argument: object }
  | { readonly type: 'ArrayPattern'; readonly elements: readonly (object | null)[] }
  | { readonly type: 'ObjectPattern'; readonly properties: readonly object[] }
  | { readonly type: 'Property'; readonly value: object };

/** True when prose stands above the first statement. */
function opensWithComment(comments: readonly Comment[], program: Program): boolean {
  const first = program.body[0];
  return comments.some((comment) => comment.value.trim() !== '' && (first === undefined || comment.start < first.start));
}
