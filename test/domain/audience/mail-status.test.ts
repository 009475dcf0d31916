import { describe, expect, it } from 'vitest';
import { ImportColumns } from '../../../src/domain/audience/import-columns.ts';
import { fileLeftBecause } from '../../../src/domain/audience/mail-status.ts';

const because = (column: string, cell: string) =>
  new ImportColumns({ cells: ['email', column], line: 1, sample: [] }, {}).readCells(['a@example.com', cell], 2).left?.because;

/** Columns of real exports with a value for people who may not be mailed, why, and one for people who may. */
const EXPORTS: readonly (readonly [system: string, column: string, left: string, because: string, stays: string])[] = [
  ['listmonk', 'status', 'blocklisted', 'unsubscribe', 'enabled'],
  ['listmonk', 'status', 'disabled', 'unsubscribe', 'enabled'],
  ['Ghost', 'subscribed_to_emails', 'false', 'unsubscribe', 'true'],
  ['Shopify', 'Accepts Email Marketing', 'no', 'unsubscribe', 'yes'],
  ['Shopify before', 'Accepts Marketing', 'no', 'unsubscribe', 'yes'],
  ['HubSpot', 'Unsubscribed from all email', 'true', 'unsubscribe', 'false'],
  ['HubSpot', 'Email hard bounce reason', 'UNKNOWN_USER', 'hard_bounce', ''],
  ['Salesforce', 'HasOptedOutOfEmail', '1', 'unsubscribe', '0'],
  ['Salesforce', 'EmailBouncedReason', '550 5.1.1', 'hard_bounce', ''],
  ['Brevo', 'BLACKLIST', 'yes', 'unsubscribe', 'no'],
  ['Mailchimp', 'UNSUB_TIME', '2026-01-02 10:00:00', 'unsubscribe', ''],
  ['Mailchimp', 'CLEAN_TIME', '2026-01-02 10:00:00', 'hard_bounce', ''],
  ['Klaviyo', 'Email Marketing Consent', 'NEVER_SUBSCRIBED', 'unsubscribe', 'SUBSCRIBED'],
  ['Klaviyo', 'Email Suppressions', '["HARD_BOUNCE"]', 'unsubscribe', '0'],
  ['MailerLite', 'Status', 'Unsubscribed', 'unsubscribe', 'Subscribed'],
  ['MailPoet', 'Status', 'unconfirmed', 'unsubscribe', 'subscribed'],
  ['ConvertKit', 'status', 'cancelled', 'unsubscribe', 'active'],
  ['ConvertKit', 'status', 'complained', 'complaint', 'active'],
  ['ConvertKit', 'status', 'bounced', 'hard_bounce', 'active'],
  ['Substack', 'email_disabled', 'true', 'unsubscribe', 'false'],
  ['Constant Contact', 'Email permission status', 'Unsubscribed', 'unsubscribe', 'Explicit'],
  ['Campaign Monitor', 'State', 'Deleted', 'unsubscribe', 'Active'],
  ['Shopify API', 'email_marketing_consent_state', 'unsubscribed', 'unsubscribe', 'subscribed'],
  ['HubSpot', 'Marketing contact status', 'Non-marketing contact', 'unsubscribe', 'Marketing contact'],
  ['Dynamics', 'Do not allow Bulk Emails', 'Do Not Allow', 'unsubscribe', 'Allow'],
  ['Dynamics', 'donotbulkemail', 'true', 'unsubscribe', 'false'],
  ['ActiveCampaign', 'Global Opt Out', 'true', 'unsubscribe', 'false'],
  ['a shop', 'newsletter_subscribed', '0', 'unsubscribe', '1'],
  ['a shop', 'Receive newsletter?', 'No', 'unsubscribe', 'Yes'],
  ['a shop', 'is_mailable', '0', 'unsubscribe', '1'],
  ['a shop', 'Date unsubscribed', '2026-01-02', 'unsubscribe', ''],
  ['a shop', 'On suppression list', 'true', 'unsubscribe', 'false'],
  ['a shop', 'mailing_status', 'unsubscribed', 'unsubscribe', 'subscribed'],
  ['a shop', 'phase', 'Unsubscribed', 'unsubscribe', 'won'],
  ['a shop', 'Kennzeichen', 'hard bounced', 'hard_bounce', 'Blackburn'],
  ['a shop', 'Status', 'deceased', 'hard_bounce', 'VIP'],
  ['a Chinese list', '状态', '退订', 'unsubscribe', '正常'],
  ['pennypost', 'subscriptions', 'news=confirmed letter=unsubscribed', 'unsubscribe', 'letter=confirmed'],
  ['a shop', 'opt-in', 'no', 'unsubscribe', 'yes'],
  ['a shop', 'Newsletter', 'nein', 'unsubscribe', 'ja'],
  ['a shop', 'email_status', 'cleaned', 'hard_bounce', 'valid'],
  ['a shop', 'email_status', 'spam complaint', 'complaint', 'ok'],
  ['a shop', 'do_not_email', 'x', 'unsubscribe', ''],
  ['a German list', 'Status', 'Abgemeldet', 'unsubscribe', 'Angemeldet'],
  ['a German list', 'Abgemeldet am', '02.01.2026', 'unsubscribe', '-'],
  ['a French list', 'Statut', 'Désabonné', 'unsubscribe', 'Abonné'],
  ['a Spanish list', 'Estado', 'Dado de baja', 'unsubscribe', 'Activo'],
  ['an Italian list', 'Stato', 'Disiscritto', 'unsubscribe', 'Iscritto'],
  ['a Dutch list', 'Status', 'Uitgeschreven', 'unsubscribe', 'Ingeschreven'],
];

describe('people who left elsewhere', () => {
  it.each(EXPORTS)('are seen in an export of %s: %s', (_, column, left, reason, stays) => {
    expect([because(column, left), because(column, stays)]).toEqual([reason, undefined]);
  });

  it.each([
    ['status', 'customer'],
    ['State', 'California'],
    ['Estado', 'Baja California'],
    ['Lead Status', 'Unqualified'],
    ['city', 'Unsubscribed'],
    ['note', 'bounced a cheque'],
    ['unsubscribed', '0000-00-00 00:00:00'],
    ['opt-in', ''],
    ['subscribed', '2026-01-02'],
    ['active_subscription', 'false'],
  ])('are not seen in %s = %s', (column, cell) => {
    expect(because(column, cell)).toBeUndefined();
  });

  it('are seen by the name that a map gives, and not in a column that it leaves out', () => {
    const left = (map: Record<string, string>) =>
      new ImportColumns({ cells: ['email', 'Zustand'], line: 1, sample: [] }, map).readCells(['a@example.com', 'bounced'], 2)
        .left;
    expect(left({})).toBeNull();
    expect(left({ Zustand: 'status' })).toMatchObject({ because: 'hard_bounce', column: 'Zustand' });
    expect(left({ Zustand: '-' })).toBeNull();
  });

  it('are seen in JSON Lines, by the gravest of several columns', () => {
    const importing = new ImportColumns(undefined, {});
    expect(importing.readRecord({ email: 'a@example.com', subscribed: false, complained: true }, 1).left?.because).toBe(
      'complaint',
    );
    expect(importing.readRecord({ email: 'a@example.com', subscribed: true, complained: false }, 1).left).toBeNull();
  });

  it.each([
    [{ attributes: { status: 'blocklisted' } }, 'attributes.status'],
    [{ attributes: { subscribed: false } }, 'attributes.subscribed'],
    [{ email_marketing_consent: { state: 'unsubscribed', opt_in_level: null } }, 'email_marketing_consent.state'],
    [{ lists: [{ name: 'News', status: 'unsubscribed' }] }, 'lists.0.status'],
  ])('are seen within the objects of JSON Lines: %j', (record, column) => {
    const { left } = new ImportColumns(undefined, {}).readRecord({ email: 'a@example.com', ...record }, 1);
    expect(left).toMatchObject({ because: 'unsubscribe', column });
  });

  it.each([
    ['Mailing State', 'Indiana'],
    ['Unsubscribe URL', 'https://example.com/u/1'],
    ['Bounce rate', '3'],
    ['SMS opt-in', 'no'],
    ['Do not call', 'true'],
    ['Number of unsubscribes', '2'],
    ['Opt-in date', ''],
  ])('are not seen in a column about something else: %s = %s', (column, cell) => {
    expect(because(column, cell)).toBeUndefined();
  });

  it.each([
    ['2026-unsubscribed.csv', 'unsubscribe'],
    ['SuppressionList.csv', 'unsubscribe'],
    ['mailing_bounces.csv', 'hard_bounce'],
    ['do-not-mail.csv', 'unsubscribe'],
    ['Abgemeldete.csv', 'unsubscribe'],
    ['spam_reports.csv', 'complaint'],
    ['people-without-bounces.csv', undefined],
    ['newsletter_cleaned.csv', undefined],
    ['subscribed_members.csv', undefined],
  ])('may be said by the name of the file, %s', (name, says) => {
    expect(fileLeftBecause(name)).toBe(says);
  });
});
