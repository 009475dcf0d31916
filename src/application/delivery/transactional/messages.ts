import type { MessageAttempt, MessageFacts } from '../../../domain/delivery/index.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import type { Page, PageRequest } from '../../../domain/shared/page.ts';
import type { UnitOfWork } from '../../unit-of-work.ts';
import type { SendInput, SendTransactional } from './send-transactional.ts';

/** Transactional messages. */
export interface Messages {
  /** Stores the message and its job in one transaction. @throws InvalidInput, NotFound, ContentInvalid, IdempotencyConflict */
  send(projectId: Id, input: SendInput): Promise<MessageFacts>;
  /** Newest first. */
  list(projectId: Id, page?: PageRequest): Promise<Page<MessageFacts>>;
  /** With every attempt. @throws NotFound */
  get(projectId: Id, messageId: Id): Promise<MessageFacts & { readonly tries: readonly MessageAttempt[] }>;
}

export function messageVerbs(deps: { readonly work: UnitOfWork; readonly transactional: SendTransactional }): Messages {
  const { work, transactional } = deps;
  return {
    send: (projectId, input) => transactional.accept(projectId, input),
    list: (projectId, page = {}) => work.run(({ delivery }) => delivery.transactional.list(projectId, page)),
    get: (projectId, messageId) =>
      work.run(async ({ delivery }) => ({
        ...(await delivery.transactional.get(projectId, messageId)),
        tries: await delivery.transactional.attempts(projectId, messageId),
      })),
  };
}
