import { describe, expect, it } from 'vitest';
import { domainSubject, linkSubject, mailingSubject, reportSheet } from '../../../src/domain/analytics/index.ts';
import { buildReport, type CampaignFacts } from '../../../src/domain/analytics/report.ts';

const campaignId = '01936c5e-1111-7111-9111-111111111110';
const mailingId = '01936c5e-1111-7111-9111-111111111111';
const mailing = mailingSubject(mailingId);
const facts: CampaignFacts = {
  campaignId,
  mailingIds: [mailingId],
  name: 'Winter sale',
  recipients: 100,
  states: { submitted: 80, rejected: 5, deferred: 15 },
  links: [
    { mailingId, index: 0, target: 'https://example.com/?id={{ subscriber.id }}' },
    { mailingId, index: 1, target: 'https://example.com/never' },
  ],
};
const totals = [
  { subject: mailing, kind: 'opened_unique', value: 40 },
  { subject: mailing, kind: 'opened_total', value: 90 },
  { subject: mailing, kind: 'clicked_unique', value: 10 },
  { subject: mailing, kind: 'clicked_total', value: 12 },
  { subject: mailing, kind: 'unsubscribed', value: 2 },
  { subject: linkSubject(mailingId, 0), kind: 'clicked_unique', value: 10 },
  { subject: linkSubject(mailingId, 0), kind: 'clicked_total', value: 12 },
  { subject: domainSubject(mailingId, 'small.example'), kind: 'submitted', value: 10 },
  { subject: domainSubject(mailingId, 'large.example'), kind: 'submitted', value: 70 },
  { subject: domainSubject(mailingId, 'large.example'), kind: 'rejected', value: 5 },
] as const;

describe('a campaign report', () => {
  it('shows audience, every state, engagement, links nobody followed, and domains', () => {
    expect(buildReport(facts, totals)).toMatchObject({
      recipients: 100,
      states: {
        pending: 0,
        submitted: 80,
        deferred: 15,
        rejected: 5,
        in_doubt: 0,
        expired: 0,
        failed: 0,
        skipped: 0,
        cancelled: 0,
      },
      opened: { unique: 40, total: 90 },
      clicked: { unique: 10, total: 12 },
      unsubscribed: 2,
      links: [
        { index: 0, target: 'https://example.com/?id={{ subscriber.id }}', unique: 10, total: 12 },
        { index: 1, target: 'https://example.com/never', unique: 0, total: 0 },
      ],
      domains: [
        { domain: 'large.example', counts: { submitted: 70, rejected: 5 } },
        { domain: 'small.example', counts: { submitted: 10 } },
      ],
    });
  });

  it('defines each of its rates', () => {
    const rates = Object.fromEntries(buildReport(facts, totals).rates.map(({ name, value }) => [name, value]));
    expect(rates).toEqual({
      submission: 0.8,
      open: 0.5,
      click: 0.125,
      click_to_open: 0.25,
      unsubscribe: 0.025,
      bounce: 0,
      complaint: 0,
    });
    for (const { definition } of buildReport(facts, totals).rates) expect(definition).toContain(' / ');
  });

  it('divides by nothing before the first message', () => {
    const report = buildReport({ ...facts, recipients: 0, states: {} }, []);
    expect(report.rates.map(({ value }) => value)).toEqual([null, null, null, null, null, null, null]);
    expect(reportSheet(report).sections[0]?.rows).toEqual([['recipients', 0, null]]);
  });

  it('becomes tables with one cell per column', () => {
    const sheet = reportSheet(buildReport(facts, totals));
    expect(sheet.title).toBe('Winter sale');
    expect(sheet.sections.map(({ title }) => title)).toEqual(['Messages', 'Engagement', 'Rates', 'Links']);
    for (const { columns, rows } of sheet.sections) {
      for (const row of rows) expect(row).toHaveLength(columns.length);
    }
    expect(sheet.sections[0]?.rows).toEqual([
      ['submitted', 80, 0.8],
      ['deferred', 15, 0.15],
      ['rejected', 5, 0.05],
      ['recipients', 100, 1],
    ]);
  });
});
