import type { Constructor } from '@mikro-orm/core';
import type { Migration } from '@mikro-orm/migrations';

/** Every migration in the order it runs. Names never change once released; additive between releases. */
export const migrations: readonly { readonly name: string; readonly class: Constructor<Migration> }[] = [];
