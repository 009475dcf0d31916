import type { Audience } from '../../src/domain/shared/audience.ts';
import type { Id } from '../../src/domain/shared/ids.ts';

/** The audience of these lists, without the subscribers of the excluded ones. */
export const anAudience = (lists: readonly Id[], excluded: readonly Id[] = []): Audience => ({
  include: lists.map((list) => ({ list })),
  exclude: excluded.map((list) => ({ list })),
});
