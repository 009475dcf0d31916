import { type Node, parseSync } from 'oxc-parser';

/** What a piece of a face calls: `lists.create` for `application.lists.create(...)`. */
export interface Place {
  /** The verb that a route declares; the line of a command's action. */
  readonly name: string;
  readonly verbs: readonly string[];
}

type Known = Readonly<Record<string, unknown>> & { readonly type: string };

const isNode = (value: unknown): value is Known =>
  typeof value === 'object' && value !== null && typeof Reflect.get(value, 'type') === 'string';

function* inside(node: unknown): Generator<Known> {
  if (Array.isArray(node)) for (const one of node) yield* inside(one);
  if (!isNode(node)) return;
  yield node;
  for (const value of Object.values(node)) if (typeof value === 'object') yield* inside(value);
}

const nameOf = (node: unknown): string | undefined =>
  isNode(node) && node.type === 'Identifier'
    ? String(node.name)
    : isNode(node) && node.type === 'Literal'
      ? String(node.value)
      : undefined;

/** `application` itself, or the `application` of something. */
function isApplication(node: unknown): boolean {
  if (!isNode(node)) return false;
  if (node.type === 'MemberExpression') return nameOf(node.property) === 'application';
  return nameOf(node) === 'application';
}

/** Names that stand for a resource here: `const { campaigns } = instance.application`. */
function resourcesTaken(program: unknown): ReadonlySet<string> {
  const taken = new Set<string>();
  for (const node of inside(program)) {
    if (node.type !== 'VariableDeclarator' || !isApplication(node.init)) continue;
    for (const part of inside(node.id)) if (part.type === 'Property') taken.add(nameOf(part.value) ?? '');
  }
  return taken;
}

/** The verbs called in a part of the file, and in the functions of the file that it calls; each once. */
function verbsIn(part: unknown, program: unknown, passedBy: ReadonlySet<string>, seen = new Set<string>()): readonly string[] {
  const taken = resourcesTaken(program);
  const verbs = new Set<string>();
  for (const node of inside(part)) {
    if (node.type !== 'CallExpression') continue;
    const { callee } = node;
    const called = nameOf(callee);
    if (called !== undefined && !passedBy.has(called) && !seen.has(called)) {
      seen.add(called);
      for (const verb of verbsIn(functionNamed(program, called), program, passedBy, seen)) verbs.add(verb);
    }
    if (!isNode(callee) || callee.type !== 'MemberExpression') continue;
    const resource = isNode(callee.object) && callee.object.type === 'MemberExpression' ? callee.object : undefined;
    if (resource !== undefined && isApplication(resource.object))
      verbs.add(`${nameOf(resource.property)}.${nameOf(callee.property)}`);
    const local = nameOf(callee.object);
    if (local !== undefined && taken.has(local)) verbs.add(`${local}.${nameOf(callee.property)}`);
  }
  return [...verbs];
}

function functionNamed(program: unknown, name: string): unknown {
  for (const node of inside(program)) {
    if (node.type === 'FunctionDeclaration' && nameOf(node.id) === name) return node.body;
    if (node.type === 'VariableDeclarator' && nameOf(node.id) === name) return node.init;
  }
  return undefined;
}

function programOf(path: string, text: string): Node {
  return parseSync(path, text).program;
}

/** Every `.action(...)` of a file of commands. @param passedBy functions whose own calls do not count */
export function actionsIn(path: string, text: string, passedBy: ReadonlySet<string>): readonly Place[] {
  const program = programOf(path, text);
  const places: Place[] = [];
  for (const node of inside(program)) {
    if (node.type !== 'CallExpression' || !isNode(node.callee) || nameOf(node.callee.property) !== 'action') continue;
    const line = text.slice(0, Number(node.end)).split('\n').length;
    places.push({ name: `${path}:${line}`, verbs: verbsIn(node.arguments, program, passedBy) });
  }
  return places;
}

/** Every `route({ verb, handle })` of a file of routes, and every `step(name, ..., handle)` of the campaign's states. */
export function routesIn(path: string, text: string): readonly Place[] {
  const program = programOf(path, text);
  const places: Place[] = [];
  for (const node of inside(program)) {
    if (node.type !== 'CallExpression') continue;
    const parts = node.arguments as readonly Known[];
    if (nameOf(node.callee) === 'step')
      places.push({ name: `campaigns.${nameOf(parts[0])}`, verbs: verbsIn(parts.at(-1), program, new Set()) });
    if (nameOf(node.callee) !== 'route') continue;
    const properties = (parts[0]?.properties ?? []) as readonly Known[];
    const declared = properties.find(({ key }) => nameOf(key) === 'verb')?.value;
    const handle = properties.find(({ key }) => nameOf(key) === 'handle')?.value;
    // The body of `step` itself: its name and its handler are those of its callers.
    if (isNode(declared) && declared.type === 'TemplateLiteral') continue;
    places.push({ name: nameOf(declared) ?? `${path} without a verb`, verbs: verbsIn(handle, program, new Set()) });
  }
  return places;
}
