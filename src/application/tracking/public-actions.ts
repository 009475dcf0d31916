import type { KeyRing } from '../../domain/access/index.ts';
import { mailingSubject, PROJECT } from '../../domain/analytics/index.ts';
import type { Clock } from '../../domain/shared/clock.ts';
import { NotFound } from '../../domain/shared/errors.ts';
import type { Id, Ids } from '../../domain/shared/ids.ts';
import {
  captureEngagement,
  captureUnsubscribe,
  type EngagementEvent,
  type Followed,
  type MailingSubject,
  RepeatedRequests,
  TEST_TOKEN,
  type TokenPurpose,
  type TokenSubject,
  type TrackedRequest,
  type TransactionalSubject,
  verifyLinkToken,
  verifyMessageToken,
} from '../../domain/tracking/index.ts';
import type { Scope, UnitOfWork } from '../unit-of-work.ts';
import { leaveStream, returnToStream, streamOptOut } from './stream-unsubscribe.ts';

/** What the unsubscribe page shows. The mail may have been forwarded, so it shows no more than this. */
export interface UnsubscribeDetails {
  readonly projectName: string;
  readonly maskedAddress: string;
  readonly listNames: readonly string[];
  readonly language: string | undefined;
  readonly alreadyUnsubscribed: boolean;
  /** What this link did can be taken back by it. */
  readonly undoable: boolean;
}

/** What recipients may do, each proved by a token and by nothing else: follow a link, load the pixel, unsubscribe, undo that. */
export class PublicActions {
  readonly #work: UnitOfWork;
  readonly #keys: KeyRing;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #repeated = new RepeatedRequests();
  readonly #engagement: { record(event: EngagementEvent): Promise<'durable' | 'lost'> };

  constructor(deps: {
    work: UnitOfWork;
    keys: KeyRing;
    clock: Clock;
    ids: Ids;
    engagement: { record(event: EngagementEvent): Promise<'durable' | 'lost'> };
  }) {
    this.#work = deps.work;
    this.#keys = deps.keys;
    this.#clock = deps.clock;
    this.#ids = deps.ids;
    this.#engagement = deps.engagement;
  }

  /** The link's target, once the click is durable or cannot be made so within its time; undefined for invalid tokens. */
  async click(messageToken: string, linkToken: string, request: TrackedRequest): Promise<string | undefined> {
    const subject = this.#subject(messageToken, 'click');
    if (subject === undefined) return undefined;
    const link = verifyLinkToken(linkToken, subject, this.#keyFor);
    if (link === undefined) return undefined;
    await this.#record(subject, { kind: 'click', link: link.index }, request);
    return link.target;
  }

  /** Unknown tokens are ignored: the pixel is always the same. */
  async open(token: string, request: TrackedRequest): Promise<void> {
    const subject = this.#subject(token, 'open');
    if (subject !== undefined) await this.#record(subject, { kind: 'open' }, request);
  }

  /** Reads only. `test`: the link of a test message, which names no subscriber. Undefined for an invalid token. */
  async openUnsubscribe(token: string): Promise<UnsubscribeDetails | 'test' | undefined> {
    if (token === TEST_TOKEN) return 'test';
    const subject = this.#subject(token, 'unsubscribe');
    if (subject === undefined) return undefined;
    if (subject.kind === 'transactional') return this.#work.run((scope) => streamDetails(scope, subject));
    const { projectId, subscriberId } = subject;
    return this.#work.run(async (scope) => {
      const project = await scope.access.getProject(projectId);
      const { campaignId, listIds } = await originOf(scope, subject);
      const names: string[] = [];
      for (const id of listIds) {
        const list = await scope.audience.lists.find(projectId, id);
        if (list !== undefined) names.push(list.name);
      }
      const known = (await scope.audience.subscribers.addressesOf(projectId, [subscriberId])).get(subscriberId);
      const { left, undoable } = await scope.audience.subscriptions.optOutState(projectId, subscriberId, { campaignId, listIds });
      return {
        projectName: project.name,
        maskedAddress: mask(known?.address ?? ''),
        listNames: names,
        language: known?.locale ?? project.defaultLanguage,
        alreadyUnsubscribed: left,
        undoable,
      };
    });
  }

  /**
   * Unsubscribes from the stream of a transactional message, or from the lists that the launch fixed for the mailing (RFC 8058); where that is not enough, refuses marketing to the person, see
   * `optOut`. Safe to repeat. False for an invalid token, and for a test's.
   */
  async unsubscribe(token: string, request: TrackedRequest): Promise<boolean> {
    const subject = this.#subject(token, 'unsubscribe');
    if (subject === undefined) return false;
    if (subject.kind === 'transactional') return this.#work.run((scope) => leaveStream(scope, subject));
    const { projectId, mailingId, subscriberId } = subject;
    const event = captureUnsubscribe(subject, request, this.#key());
    await this.#work.run(async (scope) => {
      const { campaignId, listIds } = await originOf(scope, subject);
      await scope.audience.subscriptions.optOut(
        projectId,
        subscriberId,
        { campaignId, listIds },
        { source: `one-click unsubscribe, campaign ${campaignId}`, userAgent: request.userAgent },
      );
      if (!(await scope.tracking.recordUnsubscribe(event))) return;
      const { timeZone } = await scope.access.getProject(projectId);
      const subjects = [mailingSubject(mailingId), PROJECT];
      await scope.analytics.count(
        projectId,
        timeZone,
        subjects.map((subject) => ({ subject, kind: 'unsubscribed', at: event.at }) as const),
      );
    });
    return true;
  }

  /** Takes back what `unsubscribe` with this token did, and stores the consent. False when there is nothing to take back. */
  async resubscribe(token: string, request: TrackedRequest): Promise<boolean> {
    const subject = this.#subject(token, 'unsubscribe');
    if (subject === undefined) return false;
    if (subject.kind === 'transactional') return this.#work.run((scope) => returnToStream(scope, subject));
    const { projectId, subscriberId } = subject;
    return this.#work.run(async (scope) => {
      const { campaignId } = await originOf(scope, subject);
      return scope.audience.subscriptions.undoOptOut(projectId, subscriberId, campaignId, {
        source: `unsubscribe reverted by its link, campaign ${campaignId}`,
        userAgent: request.userAgent,
      });
    });
  }

  /** HEAD asks where a link leads and follows it nowhere: no event. */
  async #record(subject: TokenSubject, followed: Followed, request: TrackedRequest): Promise<void> {
    if (request.method.toUpperCase() === 'HEAD') return;
    await this.#engagement.record(this.#repeated.fold(captureEngagement(subject, followed, request, this.#key())));
  }

  #subject(token: string, purpose: TokenPurpose) {
    return verifyMessageToken(token, purpose, this.#keyFor);
  }

  readonly #keyFor = (projectId: string, keyId: string) => this.#keys.tokenKey(projectId, keyId);

  #key() {
    return { id: this.#ids.next(), at: this.#clock.now() };
  }
}

/** The page of a stream shows its name where that of a mailing shows lists. */
async function streamDetails(scope: Scope, subject: TransactionalSubject): Promise<UnsubscribeDetails | undefined> {
  const found = await streamOptOut(scope, subject);
  if (found === undefined) return undefined;
  const { projectName, language, address, stream, left, undoable } = found;
  return { projectName, language, maskedAddress: mask(address), listNames: [stream], alreadyUnsubscribed: left, undoable };
}

/** No lists for a mailing that is gone, whose own id then stands for its campaign: its links still unsubscribe. */
async function originOf(
  { campaign }: Scope,
  { projectId, mailingId }: MailingSubject,
): Promise<{ readonly campaignId: Id; readonly listIds: readonly Id[] }> {
  try {
    const { campaignId, unsubscribeLists } = await campaign.mailings.get(projectId, mailingId);
    return { campaignId, listIds: unsubscribeLists };
  } catch (error) {
    if (error instanceof NotFound) return { campaignId: mailingId, listIds: [] };
    throw error;
  }
}

/** `m…@example.org`: enough to recognise one's own address, too little to learn another. */
function mask(address: string): string {
  const at = address.lastIndexOf('@');
  return at <= 0 ? '' : `${[...address][0] ?? ''}…${address.slice(at)}`;
}
