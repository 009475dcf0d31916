import type { Id } from '../shared/ids.ts';

/**
 * Why a subscriber of a campaign's lists is not mailed, the first of these that holds: erased; suppressed; confirmed or waiting
 * for confirmation on an excluded list; not confirmed yet; unsubscribed. A subscriber of two lists counts once.
 */
export const EXCLUSION_REASONS = ['erased', 'suppressed', 'excluded_list', 'unconfirmed', 'unsubscribed'] as const;
export type ExclusionReason = (typeof EXCLUSION_REASONS)[number];

export interface Exclusion {
  readonly subscriberId: Id;
  /** Null for an erased subscriber. */
  readonly address: string | null;
  readonly reason: ExclusionReason;
}

export interface ExclusionCounts {
  /** Subscribers that would be mailed if the campaign were launched now. */
  readonly included: number;
  readonly excluded: Readonly<Record<ExclusionReason, number>>;
}
