import type { Audience } from '../shared/audience.ts';
import { DomainError, InvalidInput } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';
import { parseSlug, slugOf } from '../shared/slug.ts';
import type { Content, ContentKind, Mailbox } from './content.ts';

/**
 *   draft -> scheduled -> sending <-> paused -> cancelled
 *   draft -> sending      sending -> submitted (all recipients have a first outcome)
 *   scheduled -> draft    submitted <-> paused (while it is not settled: retries and resends go on)
 *   anything that is not settled -> cancelled
 * Archiving is a date beside the state, never a state.
 */
export type CampaignState = 'draft' | 'scheduled' | 'sending' | 'paused' | 'submitted' | 'cancelled';

const TRANSITIONS: Readonly<Record<CampaignState, readonly CampaignState[]>> = {
  draft: ['scheduled', 'sending', 'cancelled'],
  scheduled: ['draft', 'sending', 'cancelled'],
  sending: ['paused', 'submitted', 'cancelled'],
  paused: ['sending', 'submitted', 'cancelled'],
  submitted: ['paused', 'cancelled'],
  cancelled: [],
};

type CampaignStep = 'delete' | 'schedule' | 'unschedule' | 'launch' | 'pause' | 'resume' | 'cancel' | 'finish' | 'resend';

const NEEDED: Readonly<Record<CampaignStep, string>> = {
  delete: 'Only a draft can be deleted. Unschedule a scheduled campaign first; archive a finished one.',
  schedule: 'Only a draft can be scheduled; to change the time of a scheduled campaign, unschedule it first.',
  unschedule: 'Only a scheduled campaign can become a draft again.',
  launch: 'A campaign is launched once: resume one that is paused, resend one that is submitted.',
  pause: 'Only a launched campaign that still has mail to send, and is not paused already, can be paused.',
  resume: 'Only a paused campaign can be resumed.',
  cancel: 'Only a campaign that was not launched yet, or still has mail to send, can be cancelled.',
  finish: 'Only a launched campaign can be finished.',
  resend: 'A resend needs a submitted campaign, in which every recipient has a first outcome.',
};

const BEFORE_A_RESEND: Readonly<Record<CampaignState, string>> = {
  draft: 'Launch it first.',
  scheduled: 'Wait until it is launched and submitted.',
  sending: 'Wait until it is submitted, or cancel it to stop sending.',
  paused: 'Resume it, and wait until it is submitted.',
  submitted: 'Wait until it is.',
  cancelled: 'Create another campaign for the remaining recipients.',
};

export class CampaignNotEditable extends DomainError {
  readonly code = 'campaign.not_editable';
  readonly kind = 'conflict';
  constructor(state: CampaignState) {
    super(`The campaign is ${state}: its content and audience are fixed. Only a draft can be edited.`);
  }
}

export class CampaignTransitionRefused extends DomainError {
  readonly code = 'campaign.transition_refused';
  readonly kind = 'conflict';
  constructor(state: CampaignState, step: CampaignStep) {
    const way = step === 'resend' ? ` ${BEFORE_A_RESEND[state]}` : '';
    super(`The campaign is ${state === 'draft' ? 'a draft' : state}. ${NEEDED[step]}${way}`);
  }
}

export class CampaignSlugTaken extends DomainError {
  readonly code = 'campaign.slug_taken';
  readonly kind = 'conflict';
  constructor(slug: string) {
    super(`There is a campaign "${slug}" in this project already. Choose another slug.`, '/slug');
  }
}

export interface CampaignDraft {
  readonly name: string;
  /** Made from the name where none is given. */
  readonly slug?: string | undefined;
  readonly content: Content;
  readonly audience: Audience;
  readonly trackOpens: boolean;
  readonly trackClicks: boolean;
}

/**
 * One content sent to many, once. The content itself is kept apart (`CampaignStore.content`), so that listings, locks and steps
 * never read it; here is what people recognise it by.
 */
export class Campaign {
  projectId: Id;
  id: Id;
  name: string;
  /** Names it in commands; unique in the project, and never changes: scripts rely on it. */
  slug: string;
  subject: string;
  author: Mailbox;
  contentKind: ContentKind;
  /** Grows with every change of the content, and with it `version`. */
  contentVersion = 1;
  /** Needs an entry to include at launch. */
  audience: Audience;
  trackOpens: boolean;
  trackClicks: boolean;
  state: CampaignState = 'draft';
  /** The reason of a pause that a rule and not a user caused. */
  pauseReason: string | null = null;
  /** Why it is a draft again: its scheduled launch did not happen. Until it is scheduled or launched anew. */
  launchFailure: string | null = null;
  /** Recipients fixed at launch. */
  recipients = 0;
  createdAt: Date;
  scheduledAt: Date | null = null;
  launchedAt: Date | null = null;
  /** UTC date of the launch, `YYYY-MM-DD`; part of the ledger's key. */
  launchedOn: string | null = null;
  submittedAt: Date | null = null;
  settledAt: Date | null = null;
  archivedAt: Date | null = null;
  readonly version!: number;

  constructor(projectId: Id, id: Id, draft: CampaignDraft, createdAt: Date) {
    this.projectId = projectId;
    this.id = id;
    this.name = checkName(draft.name);
    this.slug = draft.slug === undefined ? (slugOf(this.name) ?? 'campaign') : parseSlug(draft.slug);
    this.subject = draft.content.subject;
    this.author = draft.content.author;
    this.contentKind = draft.content.kind;
    this.audience = draft.audience;
    this.trackOpens = draft.trackOpens;
    this.trackClicks = draft.trackClicks;
    this.createdAt = createdAt;
  }

  /** @throws CampaignNotEditable unless it is a draft. */
  edit(change: Partial<Omit<CampaignDraft, 'slug'>>): void {
    if (this.state !== 'draft') throw new CampaignNotEditable(this.state);
    if (change.name !== undefined) this.name = checkName(change.name);
    if (change.content !== undefined) {
      this.subject = change.content.subject;
      this.author = change.content.author;
      this.contentKind = change.content.kind;
      this.contentVersion += 1;
    }
    if (change.audience !== undefined) this.audience = change.audience;
    if (change.trackOpens !== undefined) this.trackOpens = change.trackOpens;
    if (change.trackClicks !== undefined) this.trackClicks = change.trackClicks;
  }

  schedule(at: Date, now: Date): void {
    if (at <= now) throw new InvalidInput('The scheduled time has passed already. Launch it now, or choose a later time.', '/at');
    this.requireAudience();
    this.transition('schedule', 'scheduled');
    this.scheduledAt = at;
    this.launchFailure = null;
  }

  /** @param failure why the scheduled launch failed; null when a user unscheduled it */
  unschedule(failure: string | null = null): void {
    this.transition('unschedule', 'draft');
    this.scheduledAt = null;
    this.launchFailure = failure;
  }

  /** Content and recipients are fixed from here on. */
  launch(now: Date): void {
    // A paused one would become `sending` too, and be sent to all recipients again.
    if (this.launchedAt !== null) throw new CampaignTransitionRefused(this.state, 'launch');
    this.requireAudience();
    this.transition('launch', 'sending');
    this.launchFailure = null;
    this.launchedAt = now;
    this.launchedOn = now.toISOString().slice(0, 10);
  }

  pause(reason: string | null): void {
    this.transition('pause', 'paused');
    this.pauseReason = reason;
  }

  resume(): void {
    if (this.state !== 'paused') throw new CampaignTransitionRefused(this.state, 'resume');
    this.transition('resume', this.submittedAt === null ? 'sending' : 'submitted');
    this.pauseReason = null;
  }

  cancel(): void {
    this.transition('cancel', 'cancelled');
  }

  /** Everyone has a first outcome. */
  finish(now: Date): void {
    this.transition('finish', 'submitted');
    this.submittedAt = now;
  }

  /** No message is deferred any more. */
  settle(now: Date): void {
    this.settledAt ??= now;
  }

  /** A resend begins: there is something to pause and to settle again. */
  reopen(): void {
    if (this.state !== 'submitted') throw new CampaignTransitionRefused(this.state, 'resend');
    this.settledAt = null;
  }

  /** Not while it has mail to send: listings would not show it. */
  archive(now: Date): void {
    if (this.state === 'scheduled' || this.state === 'sending' || this.state === 'paused')
      throw new CampaignNotEditable(this.state);
    this.archivedAt ??= now;
  }

  /** @throws CampaignTransitionRefused unless it is a draft: of everything else there is something to remember. */
  requireDraft(step: 'delete'): void {
    if (this.state !== 'draft') throw new CampaignTransitionRefused(this.state, step);
  }

  private requireAudience(): void {
    if (this.audience.include.length === 0)
      throw new InvalidInput('The audience of the campaign includes no list. Add at least one.', '/audience/include');
  }

  private transition(step: CampaignStep, to: CampaignState): void {
    const over = this.settledAt !== null;
    if (over || !TRANSITIONS[this.state].includes(to)) throw new CampaignTransitionRefused(this.state, step);
    this.state = to;
  }
}

/** What a campaign is, without its verbs: what faces get. */
export type CampaignFacts = {
  readonly [Name in keyof Campaign as Campaign[Name] extends (...args: never[]) => unknown ? never : Name]: Campaign[Name];
};

function checkName(name: string): string {
  const trimmed = name.normalize('NFC').trim().toWellFormed();
  if (trimmed === '' || trimmed.length > 200 || /\p{Cc}/u.test(trimmed))
    throw new InvalidInput('A campaign needs a name of 1 to 200 printable characters.', '/name');
  return trimmed;
}
