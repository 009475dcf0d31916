import { type MessageSearch, parseStream, parseTag } from '../../../domain/delivery/index.ts';
import { parseAddressee } from '../../../domain/shared/email-address.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import type { Page } from '../../../domain/shared/page.ts';
import type { JoinedWork, SingleScope, UnitOfWork } from '../../unit-of-work.ts';
import { AcceptBatch, type AcceptedBatch, type BatchOptions } from './accept-batch.ts';
import type { AcceptedMessage, AcceptMessage, AcceptOptions } from './accept-message.ts';
import { type Message, type MessageWithAttempts, messageOf, withAttempts } from './message-details.ts';
import type { SendInput } from './message-input.ts';

/** Transactional messages. */
export interface Messages {
  /**
   * Stores the message and its jobs in one transaction, or in the open one of the caller.
   * @throws InvalidInput, NotFound, ContentInvalid, IdempotencyConflict, TransactionUnusable
   */
  send(projectId: Id, input: SendInput, options?: AcceptOptions): Promise<AcceptedMessage>;
  /**
   * The same for up to 500 messages, each with its own result: those that are refused stop no other.
   * @throws InvalidInput, IdempotencyConflict, TransactionUnusable
   */
  sendBatch(projectId: Id, messages: readonly SendInput[], options?: BatchOptions): Promise<AcceptedBatch>;
  /** Newest first. @throws InvalidInput */
  list(projectId: Id, search?: MessageSearch): Promise<Page<Message>>;
  /** With every attempt. @throws NotFound */
  get(projectId: Id, messageId: Id): Promise<MessageWithAttempts>;
  /** For every recipient that still waits: scheduled, accepted or deferred. @throws NotFound, NotWaiting */
  cancel(projectId: Id, messageId: Id): Promise<Message>;
}

export function messageVerbs(deps: { readonly work: UnitOfWork & JoinedWork; readonly acceptMessage: AcceptMessage }): Messages {
  const { work, acceptMessage } = deps;
  const acceptBatch = new AcceptBatch(deps);
  return {
    send: (projectId, input, options) => acceptMessage.one(projectId, input, options),
    sendBatch: (projectId, messages, options) => acceptBatch.run(projectId, messages, options),
    list: (projectId, search = {}) => work.single((scope) => listed(scope, projectId, parseSearch(search))),
    cancel: (projectId, messageId) =>
      work.bulk(async ({ delivery }) => {
        await delivery.transactional.cancel(projectId, messageId);
        return messageOf(await delivery.transactional.get(projectId, messageId));
      }),
    get: (projectId, messageId) =>
      work.single(async ({ delivery }) => {
        const all = await delivery.transactional.get(projectId, messageId);
        const attempts = await delivery.transactional.attempts(
          projectId,
          all.map(({ id }) => id),
        );
        return withAttempts(all, attempts);
      }),
  };
}

async function listed({ delivery }: Pick<SingleScope, 'delivery'>, projectId: Id, search: MessageSearch): Promise<Page<Message>> {
  const { items, next } = await delivery.transactional.list(projectId, search);
  const ids = items.map(({ id }) => id);
  const all = await delivery.transactional.messagesAt(projectId, ids);
  return { items: items.map((first) => messageOf(all.get(first.id) ?? [first])), next };
}

function parseSearch({ recipient, tag, stream, ...search }: MessageSearch): MessageSearch {
  return {
    ...search,
    recipient: recipient === undefined ? undefined : parseAddressee(recipient, '/recipient').address,
    tag: tag === undefined ? undefined : parseTag(tag),
    stream: stream === undefined ? undefined : parseStream(stream),
  };
}
