import type { Campaign } from '../../domain/campaign/index.ts';
import type { Audience } from '../../domain/shared/audience.ts';

/** The audience that these lists make. */
export const audienceOf = ({ lists, excludeLists }: Pick<Campaign, 'lists' | 'excludeLists'>): Audience => ({
  include: lists.map((list) => ({ list })),
  exclude: excludeLists.map((list) => ({ list })),
});
