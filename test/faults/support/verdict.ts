import { type LedgerRow, type MessageState, mayBeRepeated } from '../../../src/domain/delivery/index.ts';
import type { Copy } from './doors.ts';

/** The last line of `npm run chaos`, in this order. */
export interface ChaosFigures {
  readonly recipients: number;
  /** Worker processes that were ended with kill -9. */
  readonly kills: number;
  /** Of these, those that had a transaction under way at the sink. */
  readonly killsInFlight: number;
  /** People with neither a copy at the sink nor a final state other than submitted or in_doubt. */
  readonly skipped: number;
  /** Copies at the sink less distinct recipients. */
  readonly repeated: number;
  /** The most that the kills may cost: the sum of the victims' windows of unrecorded messages. */
  readonly repeatedBound: number;
  /** Repeats without the mark: of the copies for one recipient all but one must carry it. */
  readonly repeatedUnmarked: number;
  /** Recipients whose copies differ in their Message-ID, or have none. */
  readonly messageIdChanged: number;
  /** Recipients whose ledger row contradicts the sink, and totals that contradict the rows. */
  readonly ledgerMismatch: number;
  readonly inDoubt: number;
  /** First copies that carry the mark, of messages that nobody had handed over before; and their part of all first copies. */
  readonly firstMarked: number;
  readonly firstMarkedShare: number;
}

export interface Evidence {
  readonly addresses: readonly string[];
  /** What the sink wrote down: the judge. */
  readonly copies: readonly Copy[];
  /** What we say ourselves: the accused. */
  readonly ledger: ReadonlyMap<string, LedgerRow>;
  readonly totals: {
    readonly recipients: number;
    readonly states: Readonly<Record<MessageState, number>>;
    readonly possibleRepeats: number;
  };
  readonly killsAsked: number;
  readonly kills: number;
  readonly killsInFlight: number;
  /** `maxUnrecorded` of every worker. */
  readonly window: number;
}

export interface Verdict {
  readonly figures: ChaosFigures;
  /** Connections that the sink was told to reset after the final dot: only these may leave messages in doubt. */
  readonly resets: number;
  /** Empty when every promise held; else what broke, a line each. */
  readonly faults: readonly string[];
}

/** What a sink script stores and then resets; see `sink-script.ts`. */
export const RESET = 'reset-at-dot';
const REPEAT_MARK = 'x-pennypost-possible-repeat';
const FINAL = new Set<string>(['rejected', 'expired', 'failed', 'skipped', 'cancelled']);

export function judge(evidence: Evidence): Verdict {
  const { addresses, copies, ledger, totals, kills, killsInFlight, window } = evidence;
  const byRecipient = Map.groupBy(copies, (copy) => copy.to);
  const groups = [...byRecipient.values()];
  const firstMarked = groups.filter(([first]) => first !== undefined && isMarked(first)).length;
  const figures: ChaosFigures = {
    recipients: addresses.length,
    kills,
    killsInFlight,
    skipped: addresses.filter((address) => !byRecipient.has(address) && !FINAL.has(ledger.get(address)?.state ?? 'pending'))
      .length,
    repeated: copies.length - byRecipient.size,
    repeatedBound: kills * window,
    repeatedUnmarked: sum(groups.map((group) => Math.max(0, group.filter((copy) => !isMarked(copy)).length - 1))),
    messageIdChanged: groups.filter((group) => new Set(group.map((copy) => copy.messageId ?? Symbol('none'))).size > 1).length,
    ledgerMismatch:
      addresses.filter((address) => contradicts(ledger.get(address), byRecipient.get(address)?.length ?? 0)).length +
      strangers(byRecipient.keys(), addresses) +
      contradictions(totals, ledger),
    inDoubt: [...ledger.values()].filter((row) => row.state === 'in_doubt').length,
    firstMarked,
    firstMarkedShare: Math.round((firstMarked / Math.max(1, groups.length)) * 10_000) / 10_000,
  };
  const resets = copies.filter((copy) => copy.to.startsWith(RESET)).length;
  return { figures, resets, faults: faultsIn(figures, resets, evidence.killsAsked) };
}

const isMarked = (copy: Copy): boolean => copy.headers[REPEAT_MARK] === 'yes';

/** A copy that was accepted just before a kill is unknown to the ledger; one that the ledger knows must be there. */
function contradicts(row: LedgerRow | undefined, copies: number): boolean {
  if (row === undefined) return true;
  if (row.copies > copies || (copies > 1 && !row.possibleRepeat)) return true;
  if (row.state === 'submitted') return copies === 0;
  return row.state === 'in_doubt' ? false : copies > 0;
}

const strangers = (mailed: Iterable<string>, addresses: readonly string[]): number => {
  const invited = new Set(addresses);
  return [...mailed].filter((address) => !invited.has(address)).length;
};

/** Totals are kept beside the rows: each state must agree, and all together must be the audience. */
function contradictions(totals: Evidence['totals'], ledger: Evidence['ledger']): number {
  const counted = Map.groupBy(ledger.values(), (row) => row.state);
  const wrong = Object.entries(totals.states).filter(
    ([state, count]) => state !== 'pending' && count !== (counted.get(state as LedgerRow['state'])?.length ?? 0),
  );
  const possible = [...ledger.values()].filter(mayBeRepeated).length;
  return (
    wrong.length +
    (possible === totals.possibleRepeats ? 0 : 1) +
    (sum(Object.values(totals.states)) === totals.recipients ? 0 : 1)
  );
}

function faultsIn(figures: ChaosFigures, resets: number, killsAsked: number): string[] {
  const { skipped, repeated, repeatedBound, repeatedUnmarked, messageIdChanged, ledgerMismatch, inDoubt } = figures;
  const { killsInFlight } = figures;
  return [
    ...(killsInFlight < killsAsked
      ? [`only ${killsInFlight} of ${killsAsked} kills hit a message in flight: this proves too little`]
      : []),
    ...(skipped > 0 ? [`${skipped} people were skipped`] : []),
    ...(repeated > repeatedBound ? [`${repeated} repeats, at most ${repeatedBound} may be`] : []),
    ...(repeatedUnmarked > 0 ? [`${repeatedUnmarked} repeats do not carry the mark`] : []),
    ...(messageIdChanged > 0 ? [`${messageIdChanged} people got copies with different Message-IDs`] : []),
    ...(ledgerMismatch > 0 ? [`the ledger contradicts the sink, or itself, ${ledgerMismatch} times`] : []),
    ...(inDoubt > resets ? [`${inDoubt} messages in doubt, though the sink cut only ${resets} off after the dot`] : []),
  ];
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
