import { parseContent, type Renderer } from '../../../domain/campaign/index.ts';
import type { MessageFacts, NewRecipient } from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import { DomainError, InvalidInput } from '../../../domain/shared/errors.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import type { SingleScope, UnitOfWork } from '../../unit-of-work.ts';
import { sendMessage } from '../jobs.ts';
import { type Message, messageOf } from './message-details.ts';
import { parseMessage, type Recipient, type SendInput } from './message-input.ts';
import type { SendTransactional } from './send-transactional.ts';
import { type Composition, planContext, type StoredContent, type TestedCampaign } from './stored-content.ts';

export class IdempotencyConflict extends DomainError {
  readonly code = 'message.idempotency_conflict';
  readonly kind = 'conflict';
  constructor() {
    super('This Idempotency-Key was used for another request. Use a new key for a new message.');
  }
}

/** After which a message that was to be handed over at once is taken by a worker: its process has ended. */
const JOB_DELAY_MS = 5_000;

type TransactionalLane = Pick<SendTransactional, 'takesAtOnce' | 'sendAtOnce'>;

/** Accepts transactional messages: checks all that can be told of them, and stores them with their jobs in one transaction. */
export class AcceptMessage {
  readonly #work: UnitOfWork;
  readonly #renderer: Renderer;
  readonly #clock: Clock;
  readonly #lane: TransactionalLane;

  constructor(deps: { work: UnitOfWork; renderer: Renderer; clock: Clock; lane: TransactionalLane }) {
    this.#work = deps.work;
    this.#renderer = deps.renderer;
    this.#clock = deps.clock;
    this.#lane = deps.lane;
  }

  /**
   * The message exists, with its jobs, when this returns.
   * @param testOf the campaign that this message is a test of
   * @throws InvalidInput, NotFound, IdempotencyConflict, ContentInvalid
   */
  async one(projectId: Id, input: SendInput, testOf?: TestedCampaign): Promise<Message> {
    const parsed = parseMessage(input);
    const { idempotencyKey } = input;
    const { fingerprint, variables, own } = parsed;
    const found = await this.#work.single(async (scope) => {
      const known = await acceptedBefore(scope, projectId, idempotencyKey, fingerprint);
      if (known !== undefined) return known;
      const [what, project, refusals] = await Promise.all([
        contentFor(scope, projectId, input),
        scope.access.readProject(projectId),
        scope.audience.suppressions.transactionalRefusals(
          projectId,
          parsed.recipients.map(({ address }) => address),
          parsed.labels.stream,
        ),
      ]);
      return { ...what, project, refusals };
    });
    if ('id' in found) return this.#known(projectId, found);
    const { content, templateId, project, refusals } = found;
    const [first, ...others] = parsed.recipients.map((recipient) => judged(recipient, refusals)) as [
      NewRecipient,
      ...NewRecipient[],
    ];
    project.requireAuthor((own?.author ?? content.author).address);
    const composition: Composition = {
      ...(testOf === undefined ? {} : { testOf }),
      ...(own === undefined ? {} : { own }),
      ...(input.missingVariables === 'empty' ? { missingVariables: 'empty' } : {}),
    };
    // Outside any transaction, since it may take seconds. For a template it was done before: sending finds the plan as well.
    await this.#renderer.compile(content, planContext(project, variables, composition));
    const stored: StoredContent = { ...content, ...composition };
    const accepted = await this.#work.bulk(async (scope) => {
      const all = await scope.delivery.transactional.accept({
        projectId,
        ...first,
        others,
        ...parsed.labels,
        sendAt: input.sendAt,
        attachments: parsed.attachments,
        content: stored,
        variables,
        templateId,
        idempotencyKey,
        fingerprint,
      });
      if (all === undefined) {
        // An equal request at the same time was first: its transaction has committed by now.
        const known = await acceptedBefore(scope, projectId, idempotencyKey, fingerprint);
        if (known === undefined) throw new Error('A message was refused for its idempotency key, but no message has that key.');
        return { known };
      }
      const [message] = all;
      const atOnce = all.length === 1 && message.state === 'accepted' && this.#lane.takesAtOnce;
      const jobIds = await Promise.all(
        all.flatMap(({ id, state, nextAttemptAt }) => {
          if (state === 'skipped') return [];
          const later = atOnce ? new Date(this.#clock.now().getTime() + JOB_DELAY_MS) : undefined;
          const startAfter = state === 'scheduled' ? nextAttemptAt : later;
          return scope.jobs.enqueue(sendMessage, { projectId, messageId: id }, { key: id, startAfter });
        }),
      );
      return { all, fresh: atOnce ? { message, project, jobId: jobIds[0] } : undefined };
    });
    if (accepted.fresh !== undefined) this.#lane.sendAtOnce(accepted.fresh);
    return accepted.all === undefined ? this.#known(projectId, accepted.known) : messageOf(accepted.all);
  }

  #known(projectId: Id, { id }: MessageFacts): Promise<Message> {
    return this.#work.single(async ({ delivery }) => messageOf(await delivery.transactional.get(projectId, id)));
  }
}

/** @throws NotFound, InvalidInput */
async function contentFor({ campaign }: Pick<SingleScope, 'campaign'>, projectId: Id, { content, template }: SendInput) {
  if (template === undefined) {
    if (content === undefined) throw new InvalidInput('Give either content or a template.', '/content');
    return { content: parseContent(content), templateId: undefined };
  }
  if (content !== undefined) throw new InvalidInput('Give either content or a template, not both.', '/content');
  const found = await campaign.templates.contentAt(projectId, template);
  return { content: found.content, templateId: found.id };
}

/** A suppressed recipient is skipped from the beginning; asked again before the message leaves. */
const judged = (recipient: Recipient, refusals: ReadonlyMap<string, string>): NewRecipient => {
  const reason = refusals.get(recipient.address);
  return { recipient, refusal: reason === undefined ? undefined : `suppressed (${reason})` };
};

/** The message that this key stands for. @throws IdempotencyConflict when it was another request */
async function acceptedBefore(
  scope: Pick<SingleScope, 'delivery'>,
  projectId: Id,
  key: string | undefined,
  fingerprint: string,
): Promise<MessageFacts | undefined> {
  const known = key === undefined ? undefined : await scope.delivery.transactional.byIdempotencyKey(projectId, key);
  if (known !== undefined && known.fingerprint !== fingerprint) throw new IdempotencyConflict();
  return known;
}
