import type { Container } from 'inversify';

/** Carries its type through the container without decorators or metadata. */
declare const carried: unique symbol;
export type Token<T> = symbol & { readonly [carried]?: (value: T) => T };

export const token = <T>(name: string): Token<T> => Symbol.for(`pennypost.${name}`) as Token<T>;

type Tokens = Readonly<Record<string, symbol>>;
type Values<Names extends Tokens> = {
  readonly [Name in keyof Names]: Names[Name] extends Token<infer T> ? T : never;
};

/** Binds a factory that takes one object: a value for each token, under the name that it is asked for by. Made once, when first asked for. */
export function provide<T, const Names extends Tokens>(
  container: Container,
  target: Token<T>,
  dependencies: Names,
  factory: (values: Values<Names>) => T,
): void {
  const names = Object.keys(dependencies);
  const assembled = (...values: unknown[]): T =>
    factory(Object.fromEntries(names.map((name, at) => [name, values[at]])) as Values<Names>);
  container.bind<T>(target).toResolvedValue(assembled, Object.values(dependencies)).inSingletonScope();
}
