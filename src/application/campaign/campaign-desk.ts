import {
  type Campaign,
  type CampaignFacts,
  type CampaignInput,
  type Content,
  ContentInvalid,
  type ContentProblem,
  type RenderedMessage,
  type Renderer,
} from '../../domain/campaign/index.ts';
import { parseAddressee } from '../../domain/shared/email-address.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { DomainGate } from '../access/domain-gate.ts';
import { holdCampaignLists } from '../audience/list-desk.ts';
import { subscriberOf } from '../audience/subscribers.ts';
import { variablesOf } from '../delivery/bulk/sending-mailing.ts';
import { bulkWake } from '../delivery/jobs.ts';
import { marketingPlanContext, type PlannedCampaign } from '../delivery/plan-context.ts';
import type { AcceptMessage } from '../delivery/transactional/accept-message.ts';
import type { Message } from '../delivery/transactional/message-details.ts';
import type { Scope, UnitOfWork } from '../unit-of-work.ts';
import { type LaunchCampaign, PUBLIC_URL_NOT_SECURE } from './launch-campaign.ts';
import { templateIdOf } from './templates.ts';
import type { TendCampaigns } from './tend-campaigns.ts';

const MOST_TESTS = 20;

/** A campaign with its content, to read or change it. */
export type WrittenCampaign = CampaignFacts & { readonly content: Content };

/** What is done with a draft in the same step: refused together, or done together. */
export interface Writing {
  /** Content that could not be sent is refused. Default: it is kept, and `check` says what is wrong with it. */
  readonly checked?: boolean | undefined;
  readonly scheduleAt?: Date | undefined;
}

/** `checked` writing: with everything that a launch would refuse or warn of. */
export type CheckedCampaign = WrittenCampaign & { readonly problems: readonly ContentProblem[] | undefined };

/** `recipients`: their number if it were launched now. */
export interface CampaignCheck {
  readonly problems: readonly ContentProblem[];
  readonly recipients: number;
}

/** A subscriber, by id or address. */
export interface As {
  readonly subscriber?: string | undefined;
}

/** Operations on a campaign that involve several contexts: check, preview, test, launch, pause, resume, cancel. */
export class CampaignDesk {
  readonly #work: UnitOfWork;
  readonly #renderer: Renderer;
  readonly #launch: LaunchCampaign;
  readonly #gate: DomainGate;
  readonly #acceptMessage: AcceptMessage;
  readonly #tend: TendCampaigns;

  constructor(deps: {
    work: UnitOfWork;
    renderer: Renderer;
    launch: LaunchCampaign;
    gate: DomainGate;
    acceptMessage: AcceptMessage;
    tend: TendCampaigns;
  }) {
    this.#work = deps.work;
    this.#renderer = deps.renderer;
    this.#launch = deps.launch;
    this.#gate = deps.gate;
    this.#acceptMessage = deps.acceptMessage;
    this.#tend = deps.tend;
  }

  /** All of it or nothing. */
  create(projectId: Id, input: CampaignInput, writing: Writing = {}): Promise<CheckedCampaign> {
    return this.#work.run(async (scope) => {
      const wish = { ...input, ...(await namedIn(scope, projectId, input)) };
      return this.#written(scope, await scope.campaign.create(projectId, wish), writing);
    });
  }

  /** All of it or nothing. */
  update(projectId: Id, id: Id, change: Partial<Omit<CampaignInput, 'slug'>>, writing: Writing = {}): Promise<CheckedCampaign> {
    return this.#work.run(async (scope) => {
      const wish = { ...change, ...(await namedIn(scope, projectId, change)) };
      return this.#written(scope, await scope.campaign.edit(projectId, id, wish), writing);
    });
  }

  /** A draft only. @param options `dryRun`: answer what would be deleted; change nothing */
  delete(projectId: Id, id: Id, options: { readonly dryRun?: boolean | undefined } = {}): Promise<CampaignFacts> {
    return this.#work.run(async (scope) => {
      const campaign = { ...(await scope.campaign.get(projectId, id)) };
      // A dry run of what cannot be deleted is refused like the deletion itself.
      if (options.dryRun !== true || campaign.state !== 'draft') await scope.campaign.delete(projectId, id);
      return campaign;
    });
  }

  /** The transaction ends with nothing kept when the author, the content or the time is refused. */
  async #written(scope: Scope, campaign: Campaign, { checked, scheduleAt }: Writing): Promise<CheckedCampaign> {
    const { projectId, id } = campaign;
    const project = await scope.access.getProject(projectId);
    project.requireAuthor(campaign.author.address);
    const content = await scope.campaign.content(projectId, id);
    const draft = { draft: campaign, content, project, publicUrl: await this.#launch.publicUrl(scope, project) };
    const problems = checked === true ? await this.#launch.problems(draft) : undefined;
    // The public URL refuses a launch, not a draft.
    const faults = (problems ?? []).filter(({ code }) => code !== PUBLIC_URL_NOT_SECURE);
    if (faults.some(({ severity }) => severity === 'error')) throw new ContentInvalid(faults);
    if (scheduleAt !== undefined) {
      await this.#launch.checkDraft(draft);
      await scope.campaign.schedule(projectId, id, scheduleAt);
      await holdCampaignLists(scope, campaign);
    }
    return { ...campaign, content, problems };
  }

  get(projectId: Id, id: Id): Promise<WrittenCampaign> {
    return this.#work.run(async (scope) => written(scope, await scope.campaign.get(projectId, id)));
  }

  async check(projectId: Id, id: Id): Promise<CampaignCheck> {
    const { campaign, content, project, publicUrl } = await this.#open(projectId, id);
    const [written, domain] = await Promise.all([
      this.#launch.problems({ draft: campaign, content, project, publicUrl }),
      this.#gate.problems(project, content.author.address),
    ]);
    const problems = [...written, ...domain];
    const recipients = await this.#work.run((scope) => scope.audience.recipients.count(projectId, campaign.audience));
    return { problems, recipients };
  }

  async preview(projectId: Id, id: Id, as?: As): Promise<RenderedMessage> {
    const { campaign, content, context, person } = await this.#open(projectId, id, as);
    return this.#renderer.preview((await this.#frozen(projectId, id)) ?? content, context, {
      address: person?.address ?? 'preview@example.com',
      smtputf8: false,
      variables: person === undefined ? {} : variablesOf(person),
      messageId: `preview@${context.project.senderDomain}`,
      date: campaign.createdAt,
      clickToken: '',
      openToken: '',
      unsubscribeUrl: '#unsubscribe',
    });
  }

  async test(projectId: Id, id: Id, to: readonly string[], as?: As): Promise<readonly Message[]> {
    if (to.length === 0 || to.length > MOST_TESTS) throw new InvalidInput(`Give 1 to ${MOST_TESTS} addresses for a test.`, '/to');
    // All of them first: no test is sent when one address is wrong.
    for (const address of to) parseAddressee(address, '/to');
    const { campaign, content, person, publicUrl } = await this.#open(projectId, id, as);
    await this.#launch.requireSecure(projectId, publicUrl);
    const { id: campaignId, name, audience } = campaign;
    const testOf: PlannedCampaign = { projectId, id: campaignId, name, audience, trackOpens: false, trackClicks: false };
    const variables = person === undefined ? {} : variablesOf(person);
    const accepted: Message[] = [];
    for (const address of to) {
      accepted.push(
        await this.#acceptMessage.one(
          projectId,
          { to: address, content: { ...content, subject: `[Test] ${content.subject}` }, variables },
          {},
          { ...testOf, publicUrl },
        ),
      );
    }
    return accepted;
  }

  launch(projectId: Id, id: Id): Promise<Campaign> {
    return this.#launch.launch(projectId, id);
  }

  /** Content that cannot be sent is refused now, not at the scheduled hour. */
  async schedule(projectId: Id, id: Id, at: Date): Promise<Campaign> {
    await this.#launch.check(projectId, id);
    return this.#work.run(async (scope) => {
      const campaign = await scope.campaign.schedule(projectId, id, at);
      await holdCampaignLists(scope, campaign);
      return campaign;
    });
  }

  pause(projectId: Id, id: Id, reason: string | null = null): Promise<Campaign> {
    return this.#work.run(async (scope) => {
      const campaign = await scope.campaign.pause(projectId, id, reason);
      await scope.delivery.runs.pause(await scope.campaign.mailings.of(projectId, id));
      return campaign;
    });
  }

  resume(projectId: Id, id: Id): Promise<Campaign> {
    return this.#work.run(async (scope) => {
      const campaign = await scope.campaign.resume(projectId, id);
      await scope.delivery.runs.resume(await scope.campaign.mailings.of(projectId, id));
      await scope.jobs.enqueue(bulkWake, { projectId, campaignId: id }, { key: id });
      return campaign;
    });
  }

  /** Nothing more is handed over once this is committed; the remaining recipients are then recorded, most of them at once. */
  async cancel(projectId: Id, id: Id): Promise<Campaign> {
    const { campaign, mailings } = await this.#work.run(async (scope) => {
      const campaign = await scope.campaign.cancel(projectId, id);
      const mailings = await scope.campaign.mailings.of(projectId, id);
      await scope.delivery.runs.cancel(mailings);
      return { campaign, mailings };
    });
    for (const mailing of mailings) await this.#tend.cancelRest(mailing);
    return campaign;
  }

  /** What was fixed at launch; undefined before it. */
  #frozen(projectId: Id, id: Id): Promise<Content | undefined> {
    return this.#work.run(async ({ campaign: { mailings } }) => {
      const [mailing] = await mailings.of(projectId, id);
      return mailing === undefined ? undefined : (await mailings.frozen(projectId, mailing.mailingId)).content;
    });
  }

  async #open(projectId: Id, id: Id, as?: As) {
    return this.#work.run(async (scope) => {
      const campaign = await scope.campaign.get(projectId, id);
      const project = await scope.access.getProject(projectId);
      const named = as?.subscriber;
      const subscriber = named === undefined ? undefined : await subscriberOf(scope, projectId, named);
      const person =
        subscriber === undefined
          ? undefined
          : {
              id: subscriber.id,
              address: subscriber.address ?? '',
              locale: subscriber.locale ?? undefined,
              attributes: subscriber.attributes,
            };
      const content = await scope.campaign.content(projectId, id);
      const publicUrl = await this.#launch.publicUrl(scope, project);
      const context = marketingPlanContext(campaign, project, undefined);
      return { campaign, content, project, publicUrl, context, person };
    });
  }
}

/** With what it says, as it is stored now. */
async function written(scope: Scope, campaign: Campaign): Promise<WrittenCampaign> {
  return { ...campaign, content: await scope.campaign.content(campaign.projectId, campaign.id) };
}

/** The lists of the audience by id or slug, the template by id or name. @throws NotFound, InvalidInput */
async function namedIn(scope: Scope, projectId: Id, input: Partial<CampaignInput>): Promise<Partial<CampaignInput>> {
  const { audience, templateId } = input;
  return {
    ...(audience !== undefined && { audience: await scope.audience.recipients.resolve(projectId, audience) }),
    ...(templateId !== undefined && { templateId: await templateIdOf(scope, projectId, templateId) }),
  };
}
