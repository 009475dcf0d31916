import type { KeyRing, Project } from '../../domain/access/index.ts';
import { listsIn } from '../../domain/audience/index.ts';
import type { Campaign, Content, ContentProblem, FrozenContent, PlanContext, Renderer } from '../../domain/campaign/index.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { type DomainGate, staysHere } from '../access/domain-gate.ts';
import { holdCampaignLists } from '../audience/list-desk.ts';
import { bulkWake } from '../delivery/jobs.ts';
import { marketingPlanContext } from '../delivery/plan-context.ts';
import type { SingleScope, UnitOfWork } from '../unit-of-work.ts';

export class AudienceEmpty extends DomainError {
  readonly code = 'campaign.audience_empty';
  readonly kind = 'conflict';
  constructor() {
    super(
      'The campaign has no recipients: its lists have no confirmed subscriber that may be mailed. "pennypost campaign explain" shows who is left out and why.',
    );
  }
}

export const PUBLIC_URL_NOT_SECURE = 'campaign.public_url_not_secure';

export class PublicUrlNotSecure extends DomainError {
  readonly code = 'campaign.public_url_not_secure';
  readonly kind = 'conflict';
  constructor(url: string) {
    super(
      `The public URL is ${url}. Mail to real people needs https (one-click unsubscribe, RFC 8058): set PENNYPOST_PUBLIC_URL.`,
    );
  }
}

export class EditedMeanwhile extends DomainError {
  readonly code = 'campaign.edited_meanwhile';
  readonly kind = 'conflict';
  constructor() {
    super('The campaign was edited while it was being launched. Nothing was sent. Check it and launch again.');
  }
}

export interface LaunchOptions {
  /** Of this process; it counts while none is stored for the instance. */
  readonly publicUrl: string;
  /** Mail goes to the development inbox of the server at `publicUrl`: links lead there, whatever is stored. */
  readonly servesInbox: boolean;
  /** True when the transport leads nowhere but to the development inbox or to this machine. */
  readonly localTransport: boolean;
  /** Recipients per shard. */
  readonly shardSize: number;
}

interface Draft {
  readonly draft: Campaign;
  readonly content: Content;
  readonly project: Project;
  /** See `publicUrl`. */
  readonly publicUrl: string;
}

/**
 * Fixes content and recipients of a campaign and starts its first run. The slow part (rendering, checking) happens before the
 * transaction; the transaction then refuses if the campaign was edited meanwhile, or launched by another caller.
 */
export class LaunchCampaign {
  readonly #work: UnitOfWork;
  readonly #renderer: Renderer;
  readonly #keys: KeyRing;
  readonly #gate: DomainGate;
  readonly #options: LaunchOptions;

  constructor(deps: { work: UnitOfWork; renderer: Renderer; keys: KeyRing; gate: DomainGate; options: LaunchOptions }) {
    this.#work = deps.work;
    this.#renderer = deps.renderer;
    this.#keys = deps.keys;
    this.#gate = deps.gate;
    this.#options = deps.options;
  }

  /** Everything that launching would refuse, but for the audience, which is asked at the launch. @throws ContentInvalid, PublicUrlNotSecure, DomainNotReady */
  async check(projectId: Id, campaignId: Id): Promise<void> {
    await this.#prepare(projectId, campaignId);
  }

  /** What links of a project's mail begin with: its own, that of the instance, or that of this process. One rule for all verbs. */
  async publicUrl({ access }: Pick<SingleScope, 'access'>, project: Project): Promise<string> {
    const { publicUrl, servesInbox } = this.#options;
    return project.trackingBaseUrl ?? (servesInbox ? publicUrl : ((await access.publicUrl()) ?? publicUrl));
  }

  /** Mail to real recipients needs https. @throws PublicUrlNotSecure */
  async requireSecure(projectId: Id, publicUrl: string): Promise<void> {
    if (!(await this.#staysHere(projectId))) refuseInsecure(publicUrl);
  }

  #staysHere(projectId: Id): Promise<boolean> {
    return this.#work.run((scope) => staysHere(scope, projectId, this.#options.localTransport));
  }

  /** The same as a list of faults with their lines, warnings included. */
  async problems({ draft, content, project, publicUrl }: Draft): Promise<readonly ContentProblem[]> {
    const problems = await this.#renderer.check(content, this.#context(draft, project, publicUrl));
    if (isSecure(publicUrl) || (await this.#staysHere(project.id))) return problems;
    const { code, message } = new PublicUrlNotSecure(publicUrl);
    return [{ severity: 'error', code, part: 'settings', message }, ...problems];
  }

  /** @throws NotFound, CampaignTransitionRefused, CampaignListMissing, ContentInvalid, AudienceEmpty, PublicUrlNotSecure, DomainNotReady, EditedMeanwhile */
  async launch(projectId: Id, campaignId: Id, options: { allowEmpty?: boolean } = {}): Promise<Campaign> {
    const { draft, frozen } = await this.#prepare(projectId, campaignId);
    return this.#work.run(async (scope) => {
      const campaign = await scope.campaign.launch(projectId, campaignId);
      if (campaign.version !== draft.version) throw new EditedMeanwhile();
      await holdCampaignLists(scope, campaign);
      const mailing = await scope.campaign.mailings.add(campaign, frozen, listsIn(campaign.audience.include));
      const { audience: recipients } = await scope.delivery.runs.start(mailing, 'first', (after) =>
        scope.audience.recipients.page(projectId, campaign.audience, after, this.#options.shardSize),
      );
      if (recipients === 0 && options.allowEmpty !== true) throw new AudienceEmpty();
      campaign.recipients = recipients;
      await scope.jobs.enqueue(bulkWake, { projectId, campaignId }, { key: campaignId });
      return campaign;
    });
  }

  async #prepare(projectId: Id, campaignId: Id): Promise<{ draft: Campaign; frozen: FrozenContent }> {
    const found = await this.#work.run(async (scope) => {
      const draft = await scope.campaign.get(projectId, campaignId);
      await holdCampaignLists(scope, draft);
      // Read second: an edit between the two has raised the version, and the launch refuses it.
      const content = await scope.campaign.content(projectId, campaignId);
      const project = await scope.access.getProject(projectId);
      return { draft, content, project, publicUrl: await this.publicUrl(scope, project) };
    });
    const frozen = await this.checkDraft(found);
    await this.#gate.require(found.project, found.draft.author.address);
    return { draft: found.draft, frozen };
  }

  /** What launching would refuse of this draft, but for its lists, audience and DNS records. @returns what would be fixed */
  async checkDraft({ draft, content, project, publicUrl }: Draft): Promise<FrozenContent> {
    // The project's domains may have changed since the draft was written.
    project.requireAuthor(draft.author.address);
    await this.requireSecure(project.id, publicUrl);
    return this.#freeze(draft, content, project, publicUrl);
  }

  async #freeze(draft: Campaign, written: Content, project: Project, publicUrl: string): Promise<FrozenContent> {
    const context = this.#context(draft, project, publicUrl);
    const { content, parts } = await this.#renderer.freeze(written, context);
    return { content, parts, keyId: this.#keys.keyId, publicUrl, project: context.project };
  }

  /** What the messages of a launch have in common. Frozen content holds no tokens: sending processes issue them. */
  #context(draft: Campaign, project: Project, publicUrl: string): PlanContext {
    const facts = { name: project.name, postalAddress: project.postalAddress, senderDomain: project.senderDomain };
    return marketingPlanContext(draft, facts, { baseUrl: publicUrl, linkToken: (index) => `link-${index}` });
  }
}

/** @throws PublicUrlNotSecure unless it is https */
export function refuseInsecure(publicUrl: string | undefined): void {
  if (!isSecure(publicUrl)) throw new PublicUrlNotSecure(publicUrl ?? 'not set');
}

const isSecure = (publicUrl: string | undefined): boolean => URL.parse(publicUrl ?? '')?.protocol === 'https:';
