import { InvalidInput } from '../shared/errors.ts';

/** Everything a key may be allowed to do. `admin` implies all others of its project; `instance.read` is about every project. */
export const SCOPES = [
  'audience.read',
  'audience.write',
  'campaign.read',
  'campaign.write',
  'campaign.send',
  'message.send',
  'transport.read',
  'transport.write',
  'report.read',
  'admin',
  'instance.read',
] as const;

export type Scope = (typeof SCOPES)[number];

const KNOWN: ReadonlySet<string> = new Set(SCOPES);

function isScope(text: string): text is Scope {
  return KNOWN.has(text);
}

/** Distinct scopes in the order of `SCOPES`. @throws InvalidInput when there is none, or one is unknown. */
export function parseScopes(texts: readonly string[]): readonly Scope[] {
  const unknown = texts.findIndex((text) => !isScope(text));
  if (unknown >= 0) {
    throw new InvalidInput(
      `"${String(texts[unknown]).slice(0, 60)}" is not a scope. Known: ${SCOPES.join(', ')}.`,
      `/scopes/${unknown}`,
    );
  }
  if (texts.length === 0) throw new InvalidInput(`A key needs at least one scope of: ${SCOPES.join(', ')}.`, '/scopes');
  return SCOPES.filter((scope) => texts.includes(scope));
}

/** Whether someone who holds `granted` may do what needs `needed`. */
export function allows(granted: readonly Scope[], needed: Scope): boolean {
  return granted.includes(needed) || (granted.includes('admin') && needed !== 'instance.read');
}
