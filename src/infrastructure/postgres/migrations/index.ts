import type { Constructor } from '@mikro-orm/core';
import type { Migration } from '@mikro-orm/migrations';
import { M001Access } from './M001-access.ts';

/** Every migration in the order it runs. Names never change once released; additive between releases. */
export const migrations: readonly { readonly name: string; readonly class: Constructor<Migration> }[] = [
  { name: 'M001-access', class: M001Access },
];
