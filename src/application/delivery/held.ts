import type { Attempt, HeldShard, LedgerState, ShardKey, ShardLease, Turn } from '../../domain/delivery/index.ts';
import type { RecipientReader } from './recipient-reader.ts';
import type { SendingCampaign } from './sending-campaign.ts';

/** A shard in this process's hands, with everything needed to work on it. */
export interface Held {
  readonly shard: HeldShard;
  /** `leaseName`: a shard lost and claimed again is held twice until the older holding's last answer is written. */
  readonly name: string;
  readonly campaign: SendingCampaign;
  readonly reader: RecipientReader;
  /** Monotonic moment after which nothing may be written any more. */
  deadline: number;
  /** Nothing new is taken: paused, cancelled, or the fence is gone. */
  closing: boolean;
  fenced: boolean;
  onWire: number;
}

export const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1);
export const leaseKey = ({ projectId, campaignId, run, number, fence }: ShardLease): ShardKey & { fence: number } => ({
  projectId,
  campaignId,
  run,
  number,
  fence,
});
export const keyOf = (held: Held): ShardKey & { fence: number } => leaseKey(held.shard.lease);

/** People whom this process may still hand over, of what it holds open. */
export function remainingOf(held: Iterable<Held>): number {
  let remaining = 0;
  for (const { closing, shard } of held) if (!closing) remaining += shard.remaining;
  return remaining;
}

/** A transport that rejects a message breaks its contract; the message is tried again all the same. */
export const failedAttempt = (error: unknown): Attempt => ({
  outcome: 'deferred',
  code: undefined,
  enhancedCode: undefined,
  reply: error instanceof Error ? error.message : String(error),
  fault: 'transport',
});

/** The end of a turn that no transport was asked about. */
export function settleUnsent(held: Held, turn: Turn, at: Date, state: LedgerState, reason: string): void {
  const { subscriberId, possibleRepeat } = turn;
  held.shard.settle(turn.position, { subscriberId, state, code: undefined, reply: reason, possibleRepeat, at });
}
