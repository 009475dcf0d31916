import type { Project } from '../../../domain/access/index.ts';
import { type Content, parseContent, type Renderer } from '../../../domain/campaign/index.ts';
import type { AcceptedCopies, MessageFacts, NewMessage, NewRecipient } from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import { DomainError, InvalidInput } from '../../../domain/shared/errors.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import type { LaunchCampaign } from '../../campaign/launch-campaign.ts';
import type { BulkScope, CallerTransaction, JoinedWork, SingleScope, UnitOfWork } from '../../unit-of-work.ts';
import { sendMessage } from '../jobs.ts';
import { type Message, messageAtAcceptance, messageOf } from './message-details.ts';
import { type ParsedMessage, parseMessage, type Recipient, type SendInput } from './message-input.ts';
import type { SendTransactional } from './send-transactional.ts';
import { type Composition, planContext, type StoredContent, type TestedCampaign } from './stored-content.ts';

export class IdempotencyConflict extends DomainError {
  readonly code = 'message.idempotency_conflict';
  readonly kind = 'conflict';
  constructor() {
    super('This Idempotency-Key was used for another request. Use a new key for a new message.');
  }
}

export interface AcceptedMessage extends Message {
  /** It was accepted before, for an equal request with the same idempotency key; this is the answer from then. */
  readonly replayed: boolean;
}

export interface AcceptOptions {
  /**
   * An open transaction of the caller's, on the database of this instance: the message exists when the caller commits it, and never
   * otherwise. Workers hear nothing of that commit: the message starts within two seconds after it.
   */
  readonly transaction?: CallerTransaction | undefined;
}

/** What links in mail begin with, as for campaigns. */
type Links = Pick<LaunchCampaign, 'publicUrl' | 'requireSecure'>;

/** After which a message that was to be handed over at once is taken by a worker: its process has ended. */
const JOB_DELAY_MS = 5_000;

type TransactionalLane = Pick<SendTransactional, 'takesAtOnce' | 'sendAtOnce'>;

/** Accepts transactional messages: checks all that can be told of them, and stores them with their jobs in one transaction. */
export class AcceptMessage {
  readonly #work: UnitOfWork & JoinedWork;
  readonly #renderer: Renderer;
  readonly #clock: Clock;
  readonly #lane: TransactionalLane;
  readonly #links: Links;

  constructor(deps: { work: UnitOfWork & JoinedWork; renderer: Renderer; clock: Clock; lane: TransactionalLane; links: Links }) {
    this.#work = deps.work;
    this.#renderer = deps.renderer;
    this.#clock = deps.clock;
    this.#lane = deps.lane;
    this.#links = deps.links;
  }

  /**
   * The message exists, with its jobs, when this returns; with a transaction of the caller's, when that is committed.
   * @param testOf the campaign that this message is a test of
   * @throws InvalidInput, NotFound, IdempotencyConflict, ContentInvalid, TransactionUnusable
   */
  async one(
    projectId: Id,
    input: SendInput,
    { transaction }: AcceptOptions = {},
    testOf?: TestedCampaign,
  ): Promise<AcceptedMessage> {
    const parsed = parseMessage(input);
    const { idempotencyKey } = input;
    const askedAt = this.#clock.monotonic();
    const found = await this.#work.single(async (scope) => {
      const known = await acceptedBefore(scope, projectId, idempotencyKey, parsed.fingerprint);
      return known === undefined ? { read: await this.#readFor(scope, projectId, input, parsed) } : { known };
    });
    if (found.read === undefined) return this.#replayed(projectId, found.known);
    const { project } = found.read;
    const message = await this.checked(projectId, input, parsed, found.read, testOf);
    const store = async (scope: BulkScope) => {
      const all = await scope.delivery.transactional.accept(message);
      if (all === undefined) {
        // An equal request at the same time was first: its transaction has committed by now.
        const known = await acceptedBefore(scope, projectId, idempotencyKey, parsed.fingerprint);
        if (known === undefined) throw new Error('A message was refused for its idempotency key, but no message has that key.');
        return { known };
      }
      const atOnce = transaction === undefined && all.length === 1 && all[0].state === 'accepted' && this.#lane.takesAtOnce;
      const later = atOnce ? new Date(this.#clock.now().getTime() + JOB_DELAY_MS) : undefined;
      const [jobId] = await enqueueAll(scope, projectId, all, later);
      return { all, fresh: atOnce ? { message: all[0], project, jobId, askedAt } : undefined };
    };
    const accepted = await (transaction === undefined ? this.#work.bulk(store) : this.#work.within(transaction, store));
    if (accepted.all === undefined) return this.#replayed(projectId, accepted.known);
    if (accepted.fresh !== undefined) this.#lane.sendAtOnce(accepted.fresh);
    return { ...messageOf(accepted.all), replayed: false };
  }

  /** What a message needs to know of the database, asked at the same time. @throws NotFound, InvalidInput */
  async #readFor(scope: SingleScope, projectId: Id, input: SendInput, { recipients, labels }: ParsedMessage): Promise<ReadFacts> {
    const addresses = recipients.map(({ address }) => address);
    const [what, project, refusals] = await Promise.all([
      contentFor(scope, projectId, input),
      scope.access.readProject(projectId),
      scope.audience.suppressions.transactionalRefusals(projectId, addresses, labels.stream),
    ]);
    return { ...what, project, refusals };
  }

  /** The message as it is to be stored. @throws AuthorRefused, ContentInvalid */
  async checked(
    projectId: Id,
    input: SendInput,
    { own, recipients, attachments, labels, variables, fingerprint }: ParsedMessage,
    { content, templateId, project, refusals }: ReadFacts,
    testOf?: TestedCampaign,
  ): Promise<NewMessage> {
    if (own?.author === undefined) project.requireAuthor(content.author.address);
    else project.requireAuthor(own.author.address, '/from');
    const composition: Composition = {
      ...(testOf === undefined ? {} : { testOf }),
      ...(own === undefined ? {} : { own }),
      ...(input.missingVariables === 'empty' ? { missingVariables: 'empty' } : {}),
      ...(input.unsubscribe === true ? { unsubscribeFrom: await this.#linkBase(project) } : {}),
    };
    // Outside any transaction, since it may take seconds. For a template it was done before: sending finds the plan as well.
    await this.#renderer.compile(content, planContext(project, variables, composition));
    const stored: StoredContent = { ...content, ...composition };
    const [first, ...others] = recipients;
    return {
      projectId,
      ...judged(first, refusals),
      others: others.map((recipient) => judged(recipient, refusals)),
      ...labels,
      attachments,
      content: stored,
      variables,
      templateId,
      sendAt: input.sendAt,
      idempotencyKey: input.idempotencyKey,
      fingerprint,
    };
  }

  /** @throws PublicUrlNotSecure */
  async #linkBase(project: Project): Promise<string> {
    const url = await this.#work.single((scope) => this.#links.publicUrl(scope, project));
    await this.#links.requireSecure(project.id, url);
    return url;
  }

  async #replayed(projectId: Id, { id }: MessageFacts): Promise<AcceptedMessage> {
    const all = await this.#work.single(({ delivery }) => delivery.transactional.get(projectId, id));
    return { ...messageAtAcceptance(all), replayed: true };
  }
}

interface ReadFacts {
  readonly content: Content;
  readonly templateId: Id | undefined;
  readonly project: Project;
  /** By address. */
  readonly refusals: ReadonlyMap<string, string>;
}

/** One job for each recipient that is to be mailed. @param later not to be taken before, where a message is not due later itself */
export function enqueueAll(
  { jobs }: Pick<BulkScope, 'jobs'>,
  projectId: Id,
  all: AcceptedCopies,
  later?: Date,
): Promise<readonly (string | undefined)[]> {
  return Promise.all(
    all.map(({ id, state, nextAttemptAt }) =>
      state === 'skipped'
        ? undefined
        : jobs.enqueue(
            sendMessage,
            { projectId, messageId: id },
            { key: id, startAfter: state === 'scheduled' ? nextAttemptAt : later },
          ),
    ),
  );
}

/** @throws NotFound, InvalidInput */
export async function contentFor({ campaign }: Pick<SingleScope, 'campaign'>, projectId: Id, { content, template }: SendInput) {
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
