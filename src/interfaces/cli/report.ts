import type { Application, CampaignReport, DailySeries } from '../../application/application.ts';
import { renderChart } from './chart.ts';
import { type Cell, type Display, renderFields, renderTable } from './table.ts';
import { formatCount, formatShare } from './text.ts';

type Report = Omit<Awaited<ReturnType<Application['campaigns']['report']>>, 'daily'>;

/** What charts are drawn of, the first two of which there is anything. */
const CHARTS = [
  ['opened_unique', 'Opened by recipients per day'],
  ['clicked_unique', 'Clicked by recipients per day'],
  ['submitted', 'Submitted per day'],
] as const;
const MOST_CHARTS = 2;
const MOST_DOMAINS = 8;

/** A campaign's report for a terminal: states, engagement, rates, links, domains, and days as small charts. */
export function renderReport(report: Report, daily: DailySeries | undefined, display: Display | undefined): string {
  return [
    renderFields(
      [
        ['campaign', report.name],
        ['slug', report.slug],
        ['id', report.campaignId],
        ['state', report.state],
        ['paused because', report.pauseReason],
        ['launched', report.launchedAt],
        ['submitted', report.submittedAt],
        ['settled', report.settledAt],
        ['repeated', report.repeated === 0 ? undefined : report.repeated],
        ['possible repeats', report.possibleRepeats === 0 ? undefined : report.possibleRepeats],
      ],
      display,
    ),
    section('Messages', statesOf(report), display, ['State', 'Messages', 'Of recipients']),
    wordsOf(report, display),
    reasonsOf(report, display),
    section('Engagement', engagementOf(report), display, ['', 'Recipients', 'Total', 'Of submitted']),
    section(
      'Links',
      report.links.map((link) => [link.target, link.unique, link.total]),
      display,
      ['Link', 'Recipients', 'Clicks'],
    ),
    section('Receiving domains', domainsOf(report), display, ['Domain', 'Submitted', 'Deferred', 'Rejected']),
    ...(daily === undefined ? [] : chartsOf(daily, display)),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function statesOf(report: Report): Cell[][] {
  const states = Object.entries(report.states).filter(([, count]) => count > 0);
  return [
    ...states.map(([state, count]) => [state.replace('_', ' '), count, formatShare(count, report.recipients)]),
    ['recipients', report.recipients, formatShare(report.recipients, report.recipients)],
  ];
}

/** What the states mean, those that there are. */
const MEANINGS: Readonly<Record<keyof Report['states'], string>> = {
  pending: 'not handed over yet',
  submitted: 'accepted by the next mail server',
  deferred: 'refused temporarily; tried again for 72 hours',
  rejected: 'refused permanently by the next mail server',
  in_doubt: 'handed over without an answer; may have arrived',
  expired: 'deferred for longer than the retry period',
  failed: 'could not be composed or handed over',
  skipped: 'unsubscribed or suppressed since the launch',
  cancelled: 'the campaign was cancelled before its turn',
};

function wordsOf(report: Report, display: Display | undefined): string {
  const states = (Object.keys(MEANINGS) as (keyof Report['states'])[]).filter((state) => report.states[state] > 0);
  if (states.length === 0) return '';
  const settled = report.settledAt === null ? 'not yet: messages are pending or deferred' : 'no message is pending or deferred';
  return renderFields(
    [...states.map((state) => [state.replace('_', ' '), MEANINGS[state]] as const), ['settled', settled]],
    display,
  );
}

/** Why, in words: what a state alone does not tell. */
function reasonsOf(report: Report, display: Display | undefined): string {
  if (report.reasons.length === 0) return '';
  const columns = [
    { title: 'Why', value: (row: Report['reasons'][number]) => row.state.replace('_', ' ') },
    {
      title: 'Messages',
      align: 'right' as const,
      value: ({ state, count, of }: Report['reasons'][number]) =>
        of < report.states[state] ? `${formatShare(count, of)} of ${formatCount(of)}` : count,
    },
    { title: 'Reason', value: (row: Report['reasons'][number]) => row.reason },
  ];
  return renderTable(columns, report.reasons, display);
}

function engagementOf(report: Report): Cell[][] {
  const { submitted } = report.states;
  const row = (name: string, people: number, total: number | null): Cell[] => [
    name,
    people,
    total,
    formatShare(people, submitted),
  ];
  return [
    row('opened', report.opened.unique, report.opened.total),
    row('clicked', report.clicked.unique, report.clicked.total),
    row('unsubscribed', report.unsubscribed, null),
    ...(report.bounced > 0 ? [row('bounced', report.bounced, null)] : []),
    ...(report.complained > 0 ? [row('complained', report.complained, null)] : []),
  ];
}

function domainsOf(report: CampaignReport): Cell[][] {
  const shown = report.domains.slice(0, MOST_DOMAINS);
  const rest = report.domains.length - shown.length;
  return [
    ...shown.map(({ domain, counts }) => [domain, counts.submitted ?? 0, counts.deferred ?? 0, counts.rejected ?? 0]),
    ...(rest > 0 ? [[`... and ${formatCount(rest)} more`, null, null, null]] : []),
  ];
}

function section(
  title: string,
  rows: readonly (readonly Cell[])[],
  display: Display | undefined,
  titles: readonly string[],
): string {
  if (rows.length === 0) return '';
  const columns = titles.map((name, at) => ({
    title: at === 0 ? (name === '' ? title : name) : name,
    value: (row: readonly Cell[]) => row[at],
    align: at === 0 ? ('left' as const) : ('right' as const),
  }));
  return renderTable(columns, rows, display);
}

function chartsOf(daily: DailySeries, display: Display | undefined): string[] {
  const charts = CHARTS.map(([kind, title]) => ({
    title,
    points: daily.days.map(({ day, counts }) => ({ label: day, value: counts[kind] ?? 0 })),
  }));
  return charts
    .filter(({ points }) => points.some(({ value }) => value > 0))
    .slice(0, MOST_CHARTS)
    .map(({ title, points }) => renderChart(title, points, { height: 4, columns: Math.min(display?.width ?? 80, 80) }));
}

const WEEK_DAYS = 7;
const MOST_DAYS = 30;

/** From the launch to today, but at least a week and at most 30 days, so that a chart has something to compare. */
export function recentDays(series: DailySeries | undefined, launchedAt: Date | null, now: Date): DailySeries | undefined {
  if (launchedAt === null || series === undefined) return undefined;
  const age = Math.ceil((now.getTime() - launchedAt.getTime()) / 86_400_000) + 1;
  return { ...series, days: series.days.slice(-Math.min(MOST_DAYS, Math.max(WEEK_DAYS, age))) };
}

/** One row per day that has figures. */
export function renderDays({ days }: DailySeries, display: Display | undefined): string {
  const busy = days.filter(({ counts }) => Object.values(counts).some((count) => count > 0));
  if (busy.length === 0) return 'No figures in these days.';
  return renderTable(
    [
      { title: 'Day', value: (row) => row.day },
      { title: 'Submitted', value: (row) => row.counts.submitted ?? 0, align: 'right' },
      { title: 'Opened', value: (row) => row.counts.opened_unique ?? 0, align: 'right' },
      { title: 'Clicked', value: (row) => row.counts.clicked_unique ?? 0, align: 'right' },
      { title: 'Unsubscribed', value: (row) => row.counts.unsubscribed ?? 0, align: 'right' },
    ],
    busy,
    display,
  );
}
