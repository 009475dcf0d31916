import type { Constructor } from '@mikro-orm/core';
import type { Migration } from '@mikro-orm/migrations';
import { M001Access } from './M001-access.ts';
import { M002Audience } from './M002-audience.ts';
import { M003Campaign } from './M003-campaign.ts';
import { M004Delivery } from './M004-delivery.ts';
import { M005Tracking } from './M005-tracking.ts';
import { M006Analytics } from './M006-analytics.ts';

/** Every migration in the order it runs. Names never change once released; additive between releases. */
export const migrations: readonly { readonly name: string; readonly class: Constructor<Migration> }[] = [
  { name: 'M001-access', class: M001Access },
  { name: 'M002-audience', class: M002Audience },
  { name: 'M003-campaign', class: M003Campaign },
  { name: 'M004-delivery', class: M004Delivery },
  { name: 'M005-tracking', class: M005Tracking },
  { name: 'M006-analytics', class: M006Analytics },
];
