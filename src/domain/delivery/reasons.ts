import type { StateReply } from './ledger-store.ts';
import { LEDGER_STATES, type StateReason } from './message.ts';
import { replyKind } from './reply.ts';

/** Sums up equal reasons by state, the most common first, up to `most` per state. */
export function reasonsIn(replies: readonly StateReply[], most: number): readonly StateReason[] {
  return LEDGER_STATES.flatMap((state) => {
    const kinds = new Map<string, number>();
    let of = 0;
    for (const { reply, count } of replies.filter((row) => row.state === state)) {
      of += count;
      const reason = reply === undefined ? '' : replyKind(reply);
      kinds.set(reason, (kinds.get(reason) ?? 0) + count);
    }
    return [...kinds]
      .filter(([reason]) => reason !== '')
      .sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1))
      .slice(0, most)
      .map(([reason, count]) => ({ state, reason, count, of }));
  });
}
