/**
 * The table of contents: everything that a face (HTTP, CLI, npm) can ask for, and nothing else. Every verb is one transaction
 * unless its own page says otherwise; tenants' verbs take the project first.
 */
import type { AccessService } from '../domain/access/index.ts';
import type { CampaignReport, CounterKind, DailySeries } from '../domain/analytics/index.ts';
import type {
  CampaignFacts as Campaign,
  CampaignFilter,
  CampaignInput,
  ContentInput,
  ContentProblem,
  ListedTemplate,
  RenderedMessage,
  Template,
} from '../domain/campaign/index.ts';
import type { LedgerFilter, LedgerRow, MessageAttempt, MessageFacts, MessageState } from '../domain/delivery/index.ts';
import type { Id } from '../domain/shared/ids.ts';
import type { Page, PageRequest } from '../domain/shared/page.ts';
import type { Reports } from './analytics/reports.ts';
import { audienceVerbs } from './audience/audience-verbs.ts';
import type { ImportSubscribers } from './audience/import-subscribers.ts';
import { type SubscribersFilter, subscribersCsv } from './audience/subscribers-file.ts';
import type { CampaignDesk, Writing, WrittenCampaign } from './campaign/campaign-desk.ts';
import type { ExplainCampaign, LeftOut, LeftOutCounts, LeftOutSearch } from './campaign/explain-campaign.ts';
import { type CampaignRecipient, recipientsPage } from './campaign/recipients.ts';
import { recipientsCsv } from './campaign/recipients-file.ts';
import type { ResendCampaign, ResendTarget } from './campaign/resend-campaign.ts';
import type { Status, StatusBoard } from './delivery/status/status-board.ts';
import type { SendTransactional } from './delivery/transactional/send-transactional.ts';
import type { PublicActions } from './tracking/public-actions.ts';
import type { UnitOfWork } from './unit-of-work.ts';
import { checkedVerbs } from './verb-input.ts';

type Methods<Service> = {
  [Name in keyof Service]: Service[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Promise<Awaited<Result>>
    : never;
};

export { SCOPES } from '../domain/access/index.ts';
export { ContentInvalid } from '../domain/campaign/index.ts';
export { mailboxParts } from '../domain/shared/email-address.ts';
export { MOMENT_PATTERN, type Moment, parseMoment } from '../domain/shared/moment.ts';
export { networkOf } from '../domain/tracking/index.ts';
export { LEFT_OUT_REASONS } from './campaign/explain-campaign.ts';
export { RESEND_TARGETS, type ResendTarget } from './campaign/resend-campaign.ts';
export type {
  Campaign,
  CampaignRecipient,
  CampaignReport,
  ContentInput,
  ContentProblem,
  CounterKind,
  DailySeries,
  LedgerRow,
  MessageFacts,
  MessageState,
  Page,
  PageRequest,
  RenderedMessage,
  Status,
  Template,
  WrittenCampaign,
};

export interface Application {
  readonly access: Methods<AccessService>;
  readonly audience: ReturnType<typeof audienceVerbs>;
  /** Streams of people into the audience; see its own page for what is one transaction. */
  readonly imports: ImportSubscribers;
  /** Files, read as they are taken. */
  readonly exports: {
    subscribersCsv(projectId: Id, filter: SubscribersFilter): AsyncIterable<string>;
  };
  readonly campaign: {
    /** All of it or nothing. */
    create(projectId: Id, input: CampaignInput, writing?: Writing): Promise<WrittenCampaign>;
    edit(projectId: Id, id: Id, change: Partial<Omit<CampaignInput, 'slug'>>, writing?: Writing): Promise<WrittenCampaign>;
    /** A draft only: of everything else there is something to remember. */
    delete(projectId: Id, id: Id): Promise<void>;
    get(projectId: Id, id: Id): Promise<WrittenCampaign>;
    /** Without content, like everything below: content may have megabytes. */
    list(projectId: Id, filter: CampaignFilter): Promise<Page<Campaign>>;
    /** List the problems that would prevent a launch; empty when nothing does. */
    check(projectId: Id, id: Id): Promise<readonly ContentProblem[]>;
    /** As one subscriber would see it; without one, with the content's defaults. */
    preview(projectId: Id, id: Id, as?: { readonly subscriberId?: Id | undefined }): Promise<RenderedMessage>;
    /**
     * One transactional message per address, with `[Test]` before the subject, otherwise composed as for recipients, without
     * tracking; its unsubscribe link unsubscribes nobody. Not counted in any report.
     */
    test(
      projectId: Id,
      id: Id,
      to: readonly string[],
      as?: { readonly subscriberId?: Id | undefined },
    ): Promise<readonly MessageFacts[]>;
    launch(projectId: Id, id: Id): Promise<Campaign>;
    schedule(projectId: Id, id: Id, at: Date): Promise<Campaign>;
    unschedule(projectId: Id, id: Id): Promise<Campaign>;
    pause(projectId: Id, id: Id): Promise<Campaign>;
    resume(projectId: Id, id: Id): Promise<Campaign>;
    cancel(projectId: Id, id: Id): Promise<Campaign>;
    archive(projectId: Id, id: Id): Promise<Campaign>;
    /** Sends it again to those whom it did not reach; says to how many. */
    resend(projectId: Id, id: Id, target: ResendTarget): Promise<{ readonly audience: number }>;
    /** How many are in the audience, and how many are not, by reason: of the lists now, or, once launched, of what became of it. */
    explain(projectId: Id, id: Id): Promise<LeftOutCounts>;
    /** The same person by person; of one reason where one is named. See `ExplainCampaign.page` for `bad_data` before the launch. */
    excluded(projectId: Id, id: Id, search: LeftOutSearch): Promise<Page<LeftOut>>;
    /** Who received it and who did not, and why: one row per recipient with an outcome. */
    recipients(projectId: Id, id: Id, filter: LedgerFilter): Promise<Page<CampaignRecipient>>;
    /** The same as CSV, read as it is taken. */
    recipientsCsv(projectId: Id, id: Id, filter: Pick<LedgerFilter, 'state'>): AsyncIterable<string>;
  };
  readonly templates: {
    create(projectId: Id, name: string, content: ContentInput): Promise<Template>;
    edit(projectId: Id, id: Id, change: { name?: string | undefined; content?: ContentInput | undefined }): Promise<Template>;
    get(projectId: Id, id: Id): Promise<Template>;
    list(projectId: Id, page: PageRequest): Promise<Page<ListedTemplate>>;
    delete(projectId: Id, id: Id): Promise<void>;
  };
  readonly messages: {
    send(
      projectId: Id,
      input: {
        readonly to: string;
        readonly templateId?: Id | undefined;
        readonly content?: ContentInput | undefined;
        readonly variables?: Readonly<Record<string, unknown>> | undefined;
        readonly idempotencyKey?: string | undefined;
      },
    ): Promise<MessageFacts>;
    get(projectId: Id, id: Id): Promise<MessageFacts & { readonly tries: readonly MessageAttempt[] }>;
    list(projectId: Id, page: PageRequest): Promise<Page<MessageFacts>>;
  };
  readonly reports: Reports;
  /** What recipients may do, proved by tokens. */
  readonly recipients: PublicActions;
  /** Queue depth and age per lane, live workers. */
  status(): Promise<Status>;
}

export interface ApplicationParts {
  readonly work: UnitOfWork;
  readonly desk: CampaignDesk;
  readonly transactional: SendTransactional;
  readonly resend: ResendCampaign;
  readonly explain: ExplainCampaign;
  readonly imports: ImportSubscribers;
  readonly reports: Reports;
  readonly recipients: PublicActions;
  readonly statusBoard: StatusBoard;
}

export function createApplication(parts: ApplicationParts): Application {
  const { work, desk, transactional } = parts;
  return {
    access: checkedVerbs('access', accessVerbs(work)),
    audience: checkedVerbs('audience', audienceVerbs(work)),
    imports: checkedVerbs('imports', parts.imports),
    exports: checkedVerbs<'exports', Application['exports']>('exports', {
      subscribersCsv: (projectId, filter) => subscribersCsv(work, projectId, filter),
    }),
    campaign: checkedVerbs<'campaign', Application['campaign']>('campaign', {
      create: (projectId, input, writing) => desk.create(projectId, input, writing),
      edit: (projectId, id, change, writing) => desk.edit(projectId, id, change, writing),
      delete: (projectId, id) => work.run((scope) => scope.campaign.delete(projectId, id)),
      get: (projectId, id) => desk.get(projectId, id),
      list: (projectId, filter) => work.run((scope) => scope.campaign.list(projectId, filter)),
      check: (projectId, id) => desk.check(projectId, id),
      preview: (projectId, id, as) => desk.preview(projectId, id, as),
      test: (projectId, id, to, as) => desk.test(projectId, id, to, as),
      launch: (projectId, id) => desk.launch(projectId, id),
      schedule: (projectId, id, at) => desk.schedule(projectId, id, at),
      unschedule: (projectId, id) => work.run((scope) => scope.campaign.unschedule(projectId, id)),
      pause: (projectId, id) => desk.pause(projectId, id),
      resume: (projectId, id) => desk.resume(projectId, id),
      cancel: (projectId, id) => desk.cancel(projectId, id),
      resend: (projectId, id, target) => parts.resend.resend(projectId, id, target),
      archive: (projectId, id) => work.run((scope) => scope.campaign.archive(projectId, id)),
      explain: (projectId, id) => parts.explain.count(projectId, id),
      excluded: (projectId, id, search) => parts.explain.page(projectId, id, search),
      recipients: (projectId, id, filter) =>
        work.run(async (scope) => {
          await scope.campaign.get(projectId, id);
          return recipientsPage(scope, projectId, id, filter);
        }),
      recipientsCsv: (projectId, id, filter) => recipientsCsv(work, projectId, id, filter),
    }),
    templates: checkedVerbs<'templates', Application['templates']>('templates', {
      create: (projectId, name, content) => work.run(async (scope) => scope.campaign.createTemplate(projectId, name, content)),
      edit: (projectId, id, change) => work.run((scope) => scope.campaign.editTemplate(projectId, id, change)),
      get: (projectId, id) => work.run((scope) => scope.campaign.template(projectId, id)),
      list: (projectId, page) => work.run((scope) => scope.campaign.templates(projectId, page)),
      delete: (projectId, id) => work.run((scope) => scope.campaign.deleteTemplate(projectId, id)),
    }),
    messages: checkedVerbs<'messages', Application['messages']>('messages', {
      send: (projectId, input) => transactional.accept(projectId, input),
      get: (projectId, id) =>
        work.run(async (scope) => {
          const message = await scope.delivery.message(projectId, id);
          return { ...message, tries: await scope.delivery.attempts(projectId, id) };
        }),
      list: (projectId, page) => work.run((scope) => scope.delivery.messages(projectId, page)),
    }),
    reports: checkedVerbs('reports', parts.reports),
    recipients: checkedVerbs('recipients', parts.recipients),
    status: () => parts.statusBoard.read(),
  };
}

/** The verbs of the access context as they are, each in a transaction of its own. */
function accessVerbs(work: UnitOfWork): Application['access'] {
  return new Proxy(Object.create(null), {
    get:
      (_, verb) =>
      (...args: unknown[]) =>
        work.run(async ({ access }) => {
          const method: unknown = Reflect.get(access, verb);
          if (typeof method !== 'function') throw new TypeError(`access has no verb ${String(verb)}.`);
          return method.apply(access, args);
        }),
  });
}
