import type { Id } from '../shared/ids.ts';

/**
 * Why somebody with a subscription on a campaign's lists is not in its audience. One reason a person, the gravest: erased,
 * suppressed, on an excluded list, not confirmed yet, unsubscribed. Somebody on two lists is one person and no exclusion.
 */
export const EXCLUSION_REASONS = ['erased', 'suppressed', 'excluded_list', 'unconfirmed', 'unsubscribed'] as const;
export type ExclusionReason = (typeof EXCLUSION_REASONS)[number];

export interface Exclusion {
  readonly subscriberId: Id;
  /** Null for an erased person. */
  readonly address: string | null;
  readonly reason: ExclusionReason;
}

export interface ExclusionCounts {
  /** Who would be mailed if the campaign were launched now. */
  readonly included: number;
  readonly excluded: Readonly<Record<ExclusionReason, number>>;
}
