import type { Attempt, LedgerState, Outcome, ShardKey, ShardLease, ShardProgress, Turn } from '../../../domain/delivery/index.ts';
import type { RecipientReader } from './recipient-reader.ts';
import type { SendingMailing } from './sending-mailing.ts';

/** A shard in this process's hands, with everything needed to work on it. */
export interface LeasedShard {
  readonly shard: ShardProgress;
  /** `leaseName`: a shard lost and claimed again is held twice until the older holding's last answer is written. */
  readonly name: string;
  readonly mailing: SendingMailing;
  readonly reader: RecipientReader;
  /** Monotonic moment after which nothing may be written any more. */
  deadline: number;
  /** Nothing new is taken: paused, cancelled, or the fence is gone. */
  closing: boolean;
  /** It was closed because its run does not go on; once that does, so may this. */
  reopens: boolean;
  fenced: boolean;
  /** Its next recipient has to wait for a receiving domain, and there is no room beside the line. */
  blocked: boolean;
  inFlight: number;
  /** Monotonic: since when it is in these hands. */
  readonly since: number;
  /** Positions that left a line because its transport failed, with its name; they take another one. */
  readonly movedOn: Map<number, string>;
  /** Turns that came back unsent while it is being closed. */
  readonly left: { readonly turn: Turn; readonly domain: string }[];
}

export const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1);
export const leaseKey = ({ projectId, mailingId, run, number, fence }: ShardLease): ShardKey & { fence: number } => ({
  projectId,
  mailingId,
  run,
  number,
  fence,
});
export const keyOf = (held: LeasedShard): ShardKey & { fence: number } => leaseKey(held.shard.lease);

/** Recipients of the open shards that this process may hand over now or soon. */
export function remainingOf(held: Iterable<LeasedShard>): number {
  let remaining = 0;
  for (const { closing, blocked, shard } of held) if (!closing && !blocked) remaining += shard.remaining;
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
export function settleUnsent(held: LeasedShard, turn: Turn, at: Date, state: LedgerState, reason: string): void {
  const { position, subscriberId, possibleRepeat } = turn;
  held.shard.settle(position, { subscriberId, state, code: undefined, reply: reason, possibleRepeat, at });
}

/** Deferred by the lane, without an attempt: a later run takes it. */
export function holdBack(held: LeasedShard, turn: Turn, at: Date, domain: string | undefined, reason: string): void {
  held.shard.settle(turn.position, heldBack(turn, at, domain, reason));
}

/** The same when only the end of this lane's sending prevented it: the next run takes it at once. */
function leaveToNextRun(held: LeasedShard, turn: Turn, at: Date, domain: string | undefined): void {
  held.shard.settle(turn.position, { ...heldBack(turn, at, domain, LEFT_AT_CLOSE), dueAtOnce: true });
}

/**
 * Decides on the unsent turns of a shard that is about to be given back. Where others behind one have had theirs, the next holder
 * would have to take it for one that may have been sent: then a later run gets it. A worker that has taken the shard over already
 * knows of all of them.
 */
export function part(held: LeasedShard, at: Date): void {
  for (const { turn, domain } of held.left.splice(0)) {
    if (held.fenced || turn.position >= held.shard.settledThrough) held.shard.giveBack(turn.position);
    else leaveToNextRun(held, turn, at, domain);
  }
  // Those too that had come back before: too old to be sent, and about to be read again.
  if (held.fenced) return;
  for (const turn of held.shard.takeReturned()) leaveToNextRun(held, turn, at, undefined);
}

const LEFT_AT_CLOSE = 'held back: sending stopped before this recipient, after later ones were sent';

const heldBack = ({ subscriberId, possibleRepeat }: Turn, at: Date, domain: string | undefined, reply: string): Outcome => ({
  subscriberId,
  state: 'deferred',
  code: undefined,
  reply,
  possibleRepeat,
  at,
  domain,
  attempted: false,
});
