import type { KeyRing } from '../../domain/access/index.ts';
import { campaignSubject, PROJECT } from '../../domain/analytics/index.ts';
import type { Clock } from '../../domain/shared/clock.ts';
import type { Ids } from '../../domain/shared/ids.ts';
import {
  type CampaignSubject,
  captureEngagement,
  captureUnsubscribe,
  type EngagementEvent,
  type TokenPurpose,
  type TrackedRequest,
  verifyLinkToken,
  verifyMessageToken,
} from '../../domain/tracking/index.ts';
import type { UnitOfWork } from '../unit-of-work.ts';

/** What the unsubscribe page may say to whoever holds the link; the mail may have been forwarded, so no more than this. */
export interface UnsubscribeDetails {
  readonly projectName: string;
  readonly maskedAddress: string;
  readonly listNames: readonly string[];
  readonly language: string | undefined;
  readonly alreadyUnsubscribed: boolean;
}

/** What recipients may do, each proved by a token and by nothing else: follow a link, load the pixel, unsubscribe. */
export class PublicActions {
  readonly #work: UnitOfWork;
  readonly #keys: KeyRing;
  readonly #clock: Clock;
  readonly #ids: Ids;
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

  /** The link's target, once the click is durable or cannot be made so within its time; undefined for tokens that are not ours. */
  async click(messageToken: string, linkToken: string, request: TrackedRequest): Promise<string | undefined> {
    const subject = this.#subject(messageToken, 'click');
    if (subject === undefined) return undefined;
    const link = verifyLinkToken(linkToken, subject, this.#keyFor);
    if (link === undefined) return undefined;
    await this.#engagement.record(captureEngagement(subject, { kind: 'click', link: link.index }, request, this.#key()));
    return link.target;
  }

  /** Unknown tokens are ignored: the pixel is the same for everybody. */
  async open(token: string, request: TrackedRequest): Promise<void> {
    const subject = this.#subject(token, 'open');
    if (subject !== undefined) await this.#engagement.record(captureEngagement(subject, { kind: 'open' }, request, this.#key()));
  }

  /** Reads only. */
  async openUnsubscribe(token: string): Promise<UnsubscribeDetails | undefined> {
    const subject = this.#campaignSubject(token);
    if (subject === undefined) return undefined;
    const { projectId, campaignId, subscriberId } = subject;
    return this.#work.run(async (scope) => {
      const project = await scope.access.getProject(projectId);
      const campaign = await scope.campaign.get(projectId, campaignId);
      const names: string[] = [];
      for (const id of campaign.lists) {
        const list = await scope.audience.findList(projectId, id);
        if (list !== undefined) names.push(list.name);
      }
      const facts = (await scope.audience.recipients(projectId, [subscriberId], { lists: campaign.lists })).get(subscriberId);
      return {
        projectName: project.name,
        maskedAddress: mask(facts?.address ?? ''),
        listNames: names,
        language: facts?.locale ?? project.defaultLanguage,
        alreadyUnsubscribed: facts === undefined || facts.refusal !== undefined,
      };
    });
  }

  /** Leaves every list that the campaign was sent to (RFC 8058). Safe to repeat. False for a token that is not ours. */
  async unsubscribe(token: string, request: TrackedRequest): Promise<boolean> {
    const subject = this.#campaignSubject(token);
    if (subject === undefined) return false;
    const { projectId, campaignId, subscriberId } = subject;
    const event = captureUnsubscribe(subject, request, this.#key());
    await this.#work.run(async (scope) => {
      const { lists } = await scope.campaign.get(projectId, campaignId);
      await scope.audience.unsubscribe(projectId, lists, subscriberId, {
        source: `one-click unsubscribe, campaign ${campaignId}`,
        userAgent: request.userAgent,
      });
      if (!(await scope.tracking.recordUnsubscribe(event))) return;
      const { timeZone } = await scope.access.getProject(projectId);
      const subjects = [campaignSubject(campaignId), PROJECT];
      await scope.analytics.count(
        projectId,
        timeZone,
        subjects.map((subject) => ({ subject, kind: 'unsubscribed', at: event.at }) as const),
      );
    });
    return true;
  }

  #subject(token: string, purpose: TokenPurpose) {
    return verifyMessageToken(token, purpose, this.#keyFor);
  }

  #campaignSubject(token: string): CampaignSubject | undefined {
    const subject = this.#subject(token, 'unsubscribe');
    return subject?.kind === 'campaign' ? subject : undefined;
  }

  readonly #keyFor = (projectId: string, keyId: string) => this.#keys.tokenKey(projectId, keyId);

  #key() {
    return { id: this.#ids.next(), at: this.#clock.now() };
  }
}

/** `m…@example.org`: enough to recognise one's own address, too little to learn somebody else's. */
function mask(address: string): string {
  const at = address.lastIndexOf('@');
  return at <= 0 ? '' : `${[...address][0] ?? ''}…${address.slice(at)}`;
}
