import type { Id } from './ids.ts';

/** One entry of an audience, named by its kind. The kinds: the subscribers of a list. */
export interface AudienceEntry {
  readonly list: Id;
}

/**
 * Who a campaign is for: subscribers of the entries in `include`, without those in `exclude`. An empty `include` matches nobody.
 * The audience context parses it and gives it its meaning; the campaign context stores it.
 */
export interface Audience {
  readonly include: readonly AudienceEntry[];
  readonly exclude: readonly AudienceEntry[];
}
