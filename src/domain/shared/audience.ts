import type { Id } from './ids.ts';

/** One entry of an audience, named by its kind. The kinds: `list`, the id of a list. */
export interface AudienceEntry {
  readonly list: Id;
}

/**
 * Which subscribers get a campaign: those of the entries in `include` without those of the entries in `exclude`. An empty
 * `include` matches no subscriber. The audience context parses and applies it; the campaign context stores it.
 */
export interface Audience {
  readonly include: readonly AudienceEntry[];
  readonly exclude: readonly AudienceEntry[];
}

/** An audience as callers write it: lists by id or slug, each entry one object such as `{ list: 'newsletter' }`. */
export interface AudienceInput {
  readonly include: readonly AudienceEntry[];
  readonly exclude?: readonly AudienceEntry[] | undefined;
}
