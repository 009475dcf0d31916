import type { Container } from 'inversify';

/** Carries its type through the container without decorators or metadata. */
declare const carried: unique symbol;
export type Token<T> = symbol & { readonly [carried]?: (value: T) => T };

export const token = <T>(name: string): Token<T> => Symbol.for(`pennypost.${name}`) as Token<T>;

type Values<Tokens extends readonly Token<never>[]> = {
  [Index in keyof Tokens]: Tokens[Index] extends Token<infer T> ? T : never;
};

/** Binds a factory whose parameters are checked against the tokens it asks for; made once, when first asked for. */
export function provide<T, const Tokens extends readonly symbol[]>(
  container: Container,
  target: Token<T>,
  dependencies: Tokens,
  factory: (...values: Values<Tokens>) => T,
): void {
  container
    .bind<T>(target)
    .toResolvedValue(factory as (...values: unknown[]) => T, [...dependencies])
    .inSingletonScope();
}
