import type { Id } from '../shared/ids.ts';
import type { CounterTotal } from './analytics-store.ts';
import { type CounterKind, domainSubject, linkSubject, mailingSubject, type Subject } from './counter.ts';

/** States of a message, in the order in which reports show them. */
export const REPORTED_STATES = [
  'pending',
  'submitted',
  'deferred',
  'rejected',
  'in_doubt',
  'expired',
  'failed',
  'skipped',
  'cancelled',
] as const;

export type ReportedState = (typeof REPORTED_STATES)[number];

/** What the campaign and its ledger know and counters do not. */
export interface CampaignFacts {
  readonly campaignId: Id;
  /** What the campaign sent; its figures are their sums. */
  readonly mailingIds: readonly Id[];
  readonly name: string;
  /** People fixed at launch. */
  readonly recipients: number;
  /** State totals from the ledger; a state that is missing is 0. They sum up to `recipients`. */
  readonly states: Readonly<Partial<Record<ReportedState, number>>>;
  /** As in the compiled content of each mailing; `target` as it was written. */
  readonly links: readonly { readonly mailingId: Id; readonly index: number; readonly target: string }[];
}

export interface UniqueAndTotal {
  /** People. */
  readonly unique: number;
  /** Every open or click, repeats included. */
  readonly total: number;
}

export interface LinkFigures extends UniqueAndTotal {
  readonly index: number;
  readonly target: string;
}

export interface DomainFigures {
  readonly domain: string;
  /** Outcomes by kind; kinds without any are absent. */
  readonly counts: Readonly<Partial<Record<CounterKind, number>>>;
}

export interface Rate {
  readonly name: RateName;
  /** 0 to 1 and, where opens come from messages in doubt, above; null when there is nothing to divide by. */
  readonly value: number | null;
  /** What is divided by what. */
  readonly definition: string;
}

export interface CampaignReport {
  readonly campaignId: Id;
  readonly name: string;
  readonly recipients: number;
  readonly states: Readonly<Record<ReportedState, number>>;
  readonly opened: UniqueAndTotal;
  readonly clicked: UniqueAndTotal;
  readonly unsubscribed: number;
  readonly bounced: number;
  readonly complained: number;
  readonly rates: readonly Rate[];
  /** In the order of the content, including links without clicks. */
  readonly links: readonly LinkFigures[];
  /** Receiving domains by their number of outcomes, largest first. */
  readonly domains: readonly DomainFigures[];
}

type Figures = Omit<CampaignReport, 'rates'>;

const RATES = {
  submission: { of: (r: Figures) => [r.states.submitted, r.recipients], definition: 'messages submitted / recipients' },
  open: { of: (r: Figures) => [r.opened.unique, r.states.submitted], definition: 'recipients that opened / messages submitted' },
  click: {
    of: (r: Figures) => [r.clicked.unique, r.states.submitted],
    definition: 'recipients that clicked / messages submitted',
  },
  click_to_open: {
    of: (r: Figures) => [r.clicked.unique, r.opened.unique],
    definition: 'recipients that clicked / recipients that opened',
  },
  unsubscribe: {
    of: (r: Figures) => [r.unsubscribed, r.states.submitted],
    definition: 'recipients that unsubscribed by a message of this campaign / messages submitted',
  },
  bounce: { of: (r: Figures) => [r.bounced, r.states.submitted], definition: 'messages that bounced later / messages submitted' },
  complaint: { of: (r: Figures) => [r.complained, r.states.submitted], definition: 'complaints / messages submitted' },
} as const satisfies Record<string, { of: (report: Figures) => [number, number]; definition: string }>;

export type RateName = keyof typeof RATES;

/** @param totals sums of the counters of the campaign's mailings and of everything under them */
export function buildReport(facts: CampaignFacts, totals: readonly CounterTotal[]): CampaignReport {
  const sums = new Map(totals.map(({ subject, kind, value }) => [`${subject} ${kind}`, value]));
  const of = (kind: CounterKind, subject: Subject): number => sums.get(`${subject} ${kind}`) ?? 0;
  const sum = (kind: CounterKind): number => facts.mailingIds.reduce((all, id) => all + of(kind, mailingSubject(id)), 0);
  const figures: Figures = {
    campaignId: facts.campaignId,
    name: facts.name,
    recipients: facts.recipients,
    states: Object.fromEntries(REPORTED_STATES.map((state) => [state, facts.states[state] ?? 0])) as Record<
      ReportedState,
      number
    >,
    opened: { unique: sum('opened_unique'), total: sum('opened_total') },
    clicked: { unique: sum('clicked_unique'), total: sum('clicked_total') },
    unsubscribed: sum('unsubscribed'),
    bounced: sum('bounced'),
    complained: sum('complained'),
    links: linkFigures(facts.links, of),
    domains: domainFigures(facts.mailingIds, totals),
  };
  return { ...figures, rates: ratesOf(figures) };
}

/** The same link in the same place of several mailings is one link. */
function linkFigures(links: CampaignFacts['links'], of: (kind: CounterKind, subject: Subject) => number): readonly LinkFigures[] {
  const figures = new Map<string, LinkFigures>();
  for (const { mailingId, index, target } of links) {
    const subject = linkSubject(mailingId, index);
    const { unique, total } = figures.get(`${index} ${target}`) ?? { unique: 0, total: 0 };
    const clicks = { unique: unique + of('clicked_unique', subject), total: total + of('clicked_total', subject) };
    figures.set(`${index} ${target}`, { index, target, ...clicks });
  }
  return [...figures.values()];
}

function ratesOf(figures: Figures): readonly Rate[] {
  return Object.entries(RATES).map(([name, { of, definition }]) => {
    const [part, whole] = of(figures);
    return { name: name as RateName, value: whole === 0 ? null : part / whole, definition };
  });
}

function domainFigures(mailingIds: readonly Id[], totals: readonly CounterTotal[]): readonly DomainFigures[] {
  const prefixes = mailingIds.map((id) => domainSubject(id, ''));
  const domains = new Map<string, Partial<Record<CounterKind, number>>>();
  for (const { subject, kind, value } of totals) {
    const prefix = prefixes.find((start) => subject.startsWith(start));
    if (prefix === undefined) continue;
    const domain = subject.slice(prefix.length);
    const counts = domains.get(domain);
    domains.set(domain, { ...counts, [kind]: (counts?.[kind] ?? 0) + value });
  }
  const size = (of: DomainFigures): number => Object.values(of.counts).reduce((sum, value) => sum + value, 0);
  return [...domains]
    .map(([domain, counts]) => ({ domain, counts }))
    .sort((a, b) => size(b) - size(a) || (a.domain < b.domain ? -1 : 1));
}

/** A report as people read it: titled tables of labels and figures, for whatever draws them. */
export interface ReportSheet {
  readonly title: string;
  readonly sections: readonly SheetSection[];
}

export interface SheetSection {
  readonly title: string;
  readonly columns: readonly { readonly title: string; readonly kind: 'text' | 'count' | 'share' }[];
  /** One cell per column; null where there is no figure. Shares are 0 to 1. */
  readonly rows: readonly (readonly (string | number | null)[])[];
}

/** States without messages are left out, links stay. */
export function reportSheet(report: CampaignReport): ReportSheet {
  const share = (part: number): number | null => (report.recipients === 0 ? null : part / report.recipients);
  const text = (title: string) => ({ title, kind: 'text' }) as const;
  const count = (title: string) => ({ title, kind: 'count' }) as const;
  const states = REPORTED_STATES.filter((state) => report.states[state] > 0);
  return {
    title: report.name,
    sections: [
      {
        title: 'Messages',
        columns: [text('State'), count('Messages'), { title: 'Of recipients', kind: 'share' }],
        rows: [
          ...states.map((state) => [state.replace('_', ' '), report.states[state], share(report.states[state])]),
          ['recipients', report.recipients, share(report.recipients)],
        ],
      },
      {
        title: 'Engagement',
        columns: [text(''), count('People'), count('Total')],
        rows: [
          ['opened', report.opened.unique, report.opened.total],
          ['clicked', report.clicked.unique, report.clicked.total],
          ['unsubscribed', report.unsubscribed, null],
          ['bounced', report.bounced, null],
          ['complained', report.complained, null],
        ],
      },
      {
        title: 'Rates',
        columns: [text('Rate'), { title: 'Value', kind: 'share' }, text('Definition')],
        rows: report.rates.map(({ name, value, definition }) => [name.replaceAll('_', ' '), value, definition]),
      },
      {
        title: 'Links',
        columns: [text('Target'), count('People'), count('Clicks')],
        rows: report.links.map(({ target, unique, total }) => [target, unique, total]),
      },
    ],
  };
}
