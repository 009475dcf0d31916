import type { Id } from '../../../domain/shared/ids.ts';
import type { LeasedShard } from './leased-shard.ts';
import type { Lines } from './line.ts';

/** Mailings whose project has no usable transport: their shards are left to other workers, and other mailings go on. */
export class BlockedMailings {
  readonly #lines: Lines;
  /** With their projects. */
  readonly #blocked = new Map<Id, Id>();

  constructor(lines: Lines) {
    this.#lines = lines;
  }

  /** @returns why messages of this shard cannot leave at all; undefined when they can */
  look({ mailing, closing }: LeasedShard): ReturnType<Lines['blocked']> {
    const blocked = closing ? undefined : this.#lines.blocked(mailing.projectId);
    if (blocked !== undefined) this.#blocked.set(mailing.mailingId, mailing.projectId);
    return blocked;
  }

  /** Those that still are; asking for them asks for a trial of their transports. */
  present(): readonly Id[] {
    for (const [mailingId, projectId] of this.#blocked)
      if (this.#lines.blocked(projectId) === undefined) this.#blocked.delete(mailingId);
    return [...this.#blocked.keys()];
  }
}
