import type { KeyRing } from '../../domain/access/index.ts';
import { type Content, type ContentInput, ContentInvalid, type Renderer, RenderFailed } from '../../domain/campaign/index.ts';
import { requestFingerprint, type TransactionalMessage, type Transport } from '../../domain/delivery/index.ts';
import type { Clock } from '../../domain/shared/clock.ts';
import { parseEmailAddress } from '../../domain/shared/email-address.ts';
import { DomainError, InvalidInput } from '../../domain/shared/errors.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { issueTransactionalTokens } from '../../domain/tracking/index.ts';
import type { Scope, UnitOfWork } from '../unit-of-work.ts';
import { sendMessage } from './jobs.ts';
import { transactionalPlanContext } from './plan-context.ts';

/** An attempt that has lasted longer than this lost its worker: the longest SMTP waits add up to less (RFC 5321 section 4.5.3.2). */
const LOST_AFTER_MS = 30 * 60_000;
const VARIABLES_LIMIT = 256 * 1024;

export class IdempotencyConflict extends DomainError {
  readonly code = 'message.idempotency_conflict';
  readonly kind = 'conflict';
  constructor() {
    super('This Idempotency-Key was used for another request. Use a new key for a new message.');
  }
}

export interface SendInput {
  readonly to: string;
  /** Either a template or inline content. */
  readonly templateId?: Id | undefined;
  readonly content?: ContentInput | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  /** 1 to 256 characters; the same key and request give the same message. */
  readonly idempotencyKey?: string | undefined;
}

/** The transactional lane: accepts a message in one transaction with its job, and hands it over. */
export class SendTransactional {
  readonly #work: UnitOfWork;
  readonly #renderer: Renderer;
  readonly #transport: Transport;
  readonly #keys: KeyRing;
  readonly #clock: Clock;

  constructor(deps: { work: UnitOfWork; renderer: Renderer; transport: Transport; keys: KeyRing; clock: Clock }) {
    this.#work = deps.work;
    this.#renderer = deps.renderer;
    this.#transport = deps.transport;
    this.#keys = deps.keys;
    this.#clock = deps.clock;
  }

  /** The message exists, with its job, when this returns. @throws InvalidInput, NotFound, IdempotencyConflict */
  async accept(projectId: Id, input: SendInput): Promise<TransactionalMessage> {
    const address = parseEmailAddress(input.to, '/to');
    const variables = input.variables ?? {};
    if (Buffer.byteLength(JSON.stringify(variables)) > VARIABLES_LIMIT)
      throw new InvalidInput('The variables are larger than 256 kB.', '/variables');
    const fingerprint = requestFingerprint([address.address, input.templateId ?? null, input.content ?? null, variables]);
    return this.#work.run(async (scope) => {
      const known = await acceptedBefore(scope, projectId, input.idempotencyKey, fingerprint);
      if (known !== undefined) return known;
      const content = await this.#content(scope, projectId, input);
      const project = await scope.access.getProject(projectId);
      const problems = await this.#renderer.check(filled(content, variables), transactionalPlanContext(project));
      const errors = problems.filter((problem) => problem.severity === 'error');
      if (errors.length > 0) throw new ContentInvalid(errors);
      const message = await scope.delivery.accept({
        projectId,
        recipient: { address: address.address, smtputf8: address.smtputf8 },
        content,
        variables,
        templateId: input.templateId,
        idempotencyKey: input.idempotencyKey,
        fingerprint,
      });
      if (message === undefined) {
        // An equal request at the same time was first: its transaction has committed by now.
        const first = await acceptedBefore(scope, projectId, input.idempotencyKey, fingerprint);
        if (first === undefined) throw new Error('A message was refused for its idempotency key, and there is none with it.');
        return first;
      }
      await scope.jobs.enqueue(sendMessage, { projectId, messageId: message.id }, { key: message.id });
      return message;
    });
  }

  /** Hands one message over, if it is (still) waiting. What it came to is committed; a retry is enqueued with it. */
  async send(projectId: Id, messageId: Id): Promise<TransactionalMessage | undefined> {
    const begun = await this.#work.run(async (scope) => {
      const message = await scope.delivery.beginAttempt(projectId, messageId);
      if (message === undefined) return undefined;
      // Lists and marketing do not concern a message that its recipient caused; a bounce, a complaint or an erasure does.
      const suppressions = await scope.audience.suppressionsOf(projectId, message.recipient.address);
      const refusal = suppressions.find((suppression) => suppression.scope === 'project');
      if (refusal !== undefined) {
        await scope.delivery.giveUp(message, 'skipped', `suppressed (${refusal.reason})`);
        return undefined;
      }
      return { message, project: await scope.access.getProject(projectId) };
    });
    if (begun === undefined) return undefined;
    const { message, project } = begun;
    const content = filled(message.content as Content, message.variables);
    let bytes: Uint8Array;
    try {
      const plan = await this.#renderer.compile(content, transactionalPlanContext(project));
      const composed = plan.compose({
        ...message.recipient,
        variables: message.variables,
        messageId: `${this.#messageIdLeft(projectId, messageId)}@${project.senderDomain}`,
        date: this.#clock.now(),
        clickToken: '',
        openToken: '',
        unsubscribeUrl: '',
      });
      bytes = Buffer.from(composed.bytes);
      composed.release();
    } catch (error) {
      if (!(error instanceof RenderFailed || error instanceof DomainError)) throw error;
      return this.#work.run((scope) => scope.delivery.giveUp(message, 'failed', error.message));
    }
    const attempt = await this.#transport.submit({
      envelope: { from: content.author.address, to: message.recipient.address, smtputf8: message.recipient.smtputf8 },
      content: bytes,
    });
    return this.#work.run(async (scope) => {
      const ended = await scope.delivery.endAttempt(
        message,
        attempt.outcome === 'withdrawn'
          ? {
              outcome: 'deferred',
              code: undefined,
              enhancedCode: undefined,
              reply: 'the worker was stopping',
              fault: 'transport',
            }
          : attempt,
      );
      if (ended.nextAttemptAt !== undefined) {
        await scope.jobs.enqueue(sendMessage, { projectId, messageId }, { startAfter: ended.nextAttemptAt, key: messageId });
      }
      return ended;
    });
  }

  /** Whatever was lost with a killed process comes back here: due messages without a job, attempts without an end. */
  async sweep(): Promise<void> {
    const lost = await this.#work.run((scope) => scope.delivery.unfinished(LOST_AFTER_MS));
    for (const message of lost) {
      await this.#work.run((scope) =>
        scope.delivery.endAttempt(message, {
          outcome: 'in_doubt',
          code: undefined,
          enhancedCode: undefined,
          reply: 'the worker vanished during the attempt',
          fault: 'transport',
        }),
      );
    }
    await this.#work.run(async (scope) => {
      for (const message of await scope.delivery.messagesDue()) {
        await scope.jobs.enqueue(sendMessage, { projectId: message.projectId, messageId: message.id }, { key: message.id });
      }
    });
  }

  async #content(scope: Scope, projectId: Id, input: SendInput): Promise<Content> {
    if (input.templateId !== undefined) return (await scope.campaign.template(projectId, input.templateId)).content;
    if (input.content === undefined) throw new InvalidInput('Give either a template or content.', '/content');
    return scope.campaign.parseContent(input.content);
  }

  #messageIdLeft(projectId: Id, messageId: Id): string {
    const key = this.#keys.tokenKey(projectId, this.#keys.keyId);
    if (key === undefined) throw new Error('The instance has no key to sign with.');
    return issueTransactionalTokens({ projectId, messageId, key, keyId: this.#keys.keyId }).messageIdLeft;
  }
}

/** A variable that this message brings along needs no default; one that neither has is refused when it is accepted. */
const filled = (content: Content, variables: Readonly<Record<string, unknown>>): Content => ({
  ...content,
  defaults: { ...content.defaults, ...variables },
});

/** The message that this key stands for. @throws IdempotencyConflict when it was another request */
async function acceptedBefore(
  scope: Scope,
  projectId: Id,
  key: string | undefined,
  fingerprint: string,
): Promise<TransactionalMessage | undefined> {
  const known = key === undefined ? undefined : await scope.delivery.messageByIdempotencyKey(projectId, key);
  if (known !== undefined && known.fingerprint !== fingerprint) throw new IdempotencyConflict();
  return known;
}
