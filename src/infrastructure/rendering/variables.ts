import { CaseTag, ForTag, IfTag, Output, type Template, type Token, TypeGuards, UnlessTag, Value } from 'liquidjs';
import type { Content, PlanContext } from '../../domain/campaign/index.ts';
import { lineIndex } from './liquid-regions.ts';

/** Filters that leave nothing when they are given nothing, so that a `default` behind them still takes effect. */
const KEEPS_NOTHING = new Set(
  (
    'capitalize cgi_escape date downcase escape escape_once first join last lstrip newline_to_br normalize_whitespace ' +
    'raw remove remove_first remove_last replace_first replace_last rstrip slice split squish strip strip_html ' +
    'strip_newlines truncate truncatewords upcase uri_escape url_decode url_encode where xml_escape'
  ).split(' '),
);

function hasDefault(filters: readonly { readonly name: string }[]): boolean {
  const position = filters.findIndex(({ name }) => name === 'default');
  return position !== -1 && filters.slice(0, position).every(({ name }) => KEEPS_NOTHING.has(name));
}

/** Where a template reads a variable. */
export interface VariableUse {
  readonly path: readonly string[];
  /** 1-based, in the text that was parsed. */
  readonly line: number;
  /**
   * `printed`: shows in the message or feeds a loop or filter, so it must have a value. `asked`: only a condition looks at it.
   * `guarded`: printed, but inside a condition that asks for it, or with the filter `default` behind it.
   */
  readonly use: 'printed' | 'asked' | 'guarded';
}

export interface TemplateUses {
  readonly uses: readonly VariableUse[];
  /** Names that the template itself sets: assign, capture, increment, loops. */
  readonly locals: ReadonlySet<string>;
  /** Of these, what lives longer than a loop. */
  readonly assigned: ReadonlySet<string>;
  readonly filters: ReadonlySet<string>;
  readonly tags: ReadonlySet<string>;
  /** Lines of outputs that end in `| raw`. */
  readonly rawOutputs: readonly number[];
}

/** Walks parsed templates, bodies of all branches included. */
export function usesOf(templates: readonly Template[]): TemplateUses {
  const uses: VariableUse[] = [];
  const locals = new Set<string>();
  const assigned = new Set<string>();
  const filters = new Set<string>();
  const tags = new Set<string>();
  const rawOutputs: number[] = [];
  // A token's own getPosition walks the whole text each time.
  let index: { readonly input: string; readonly lineOf: (position: number) => number } | undefined;
  const lineOf = (token: Token): number => {
    if (index?.input !== token.input) index = { input: token.input, lineOf: lineIndex(token.input) };
    return index.lineOf(token.begin);
  };

  /** What the conditions around this place ask for. A walk over all of them for each use would take the product of both. */
  const guards = new Map<string, number>();
  const isGuarded = (path: readonly string[]): boolean => path.some((_, end) => guards.has(path.slice(0, end + 1).join('.')));

  const readToken = (token: unknown, use: VariableUse['use']): void => {
    if (TypeGuards.isRangeToken(token)) {
      readToken(token.lhs, use);
      readToken(token.rhs, use);
    } else if (TypeGuards.isFilteredValueToken(token)) {
      const optional = use === 'printed' && hasDefault(token.filters);
      for (const inner of token.initial.postfix) readToken(inner, optional ? 'guarded' : use);
      for (const filter of token.filters) {
        filters.add(filter.name);
        for (const argument of filter.args) readToken(Array.isArray(argument) ? argument[1] : argument, use);
      }
    } else if (TypeGuards.isPropertyAccessToken(token)) {
      const path: string[] = [];
      let fixed = token.variable === undefined;
      for (const prop of token.props) {
        if (TypeGuards.isWordToken(prop) || TypeGuards.isQuotedToken(prop) || TypeGuards.isNumberToken(prop)) {
          if (fixed) path.push(String(prop.content));
        } else {
          // `products[position].name`: what stands in the brackets is a use of its own; the path is known up to here.
          fixed = false;
          readToken(prop, use);
        }
      }
      if (path.length > 0) {
        uses.push({ path, line: lineOf(token), use: use === 'printed' && isGuarded(path) ? 'guarded' : use });
      }
    }
  };
  const readValue = (value: Value, use: VariableUse['use']): void => {
    const optional = use === 'printed' && hasDefault(value.filters);
    for (const token of value.initial.postfix) readToken(token, optional ? 'guarded' : use);
    for (const filter of value.filters) {
      if (!filter.name.startsWith('[')) filters.add(filter.name);
      for (const argument of filter.args) readToken(Array.isArray(argument) ? argument[1] : argument, use);
    }
  };
  const visit = (template: Template): void => {
    if (TypeGuards.isTagToken(template.token)) tags.add(template.token.name);
    const conditional = template instanceof IfTag || template instanceof UnlessTag || template instanceof CaseTag;
    const before = uses.length;
    for (const argument of template.arguments?.() ?? []) {
      // `offset: continue` is a word of `for`, no variable.
      if (template instanceof ForTag && TypeGuards.isPropertyAccessToken(argument) && argument.getText() === 'continue') continue;
      if (argument instanceof Value) readValue(argument, conditional ? 'asked' : 'printed');
      else readToken(argument, conditional ? 'asked' : 'printed');
    }
    if (template instanceof Output && template.value.filters.at(-1)?.name === 'raw') rawOutputs.push(lineOf(template.token));
    for (const identifier of template.localScope?.() ?? []) assigned.add(identifier.content);
    for (const name of template.blockScope?.() ?? []) locals.add(name);
    const asked = conditional ? uses.slice(before).map(({ path }) => path.join('.')) : [];
    for (const name of asked) guards.set(name, (guards.get(name) ?? 0) + 1);
    for (const child of childrenOf(template)) visit(child);
    for (const name of asked) {
      const left = (guards.get(name) ?? 0) - 1;
      if (left > 0) guards.set(name, left);
      else guards.delete(name);
    }
  };
  for (const template of templates) visit(template);
  for (const name of assigned) locals.add(name);
  return { uses, locals, assigned, filters, tags, rawOutputs };
}

/** The templates inside a tag, without loading anything. */
export function childrenOf(template: Template): readonly Template[] {
  if (template.children === undefined) return [];
  const step = template.children(false, true).next();
  return Array.isArray(step.value) ? step.value : [];
}

const SUBSCRIBER_FIELDS = new Set(['id', 'email', 'locale', 'attributes']);

/** Why a variable cannot be trusted to have a value, or undefined when it can. */
export function unknownReason(path: readonly string[], content: Content, context: PlanContext): string | undefined {
  const [root, second, third] = path;
  const has = (name: string): boolean => Object.hasOwn(content.defaults, name) || context.variables?.includes(name) === true;
  const declare = (name: string): string =>
    context.variables === undefined
      ? `Declare a default for it (defaults: { ${JSON.stringify(name)}: ... }) for recipients without it, or correct the name.`
      : `Give it a value in the variables of the message, or a default in the content (defaults: { ${JSON.stringify(name)}: ... }), or correct the name.`;
  switch (root) {
    case undefined:
    case 'unsubscribe_url':
    case 'postal_address':
    case 'message_id':
      return undefined;
    case 'project':
      return second === undefined || second === 'name' ? undefined : 'Of the project only project.name is known here.';
    case 'campaign':
      if (second === undefined || Object.hasOwn(context.campaign, second)) return undefined;
      return `Of the campaign these are known: ${Object.keys(context.campaign).join(', ') || 'nothing'}.`;
    case 'subscriber':
      if (second !== undefined && !SUBSCRIBER_FIELDS.has(second)) {
        return 'A subscriber has id, email, locale and attributes; attributes are also available at the top level.';
      }
      return second !== 'attributes' || third === undefined || has(third) ? undefined : declare(third);
    default:
      return has(root) ? undefined : declare(root);
  }
}
