import { Migration } from '@mikro-orm/migrations';

/** Raw events by month, and their sums per subscriber and mailing. */
export class M005Tracking extends Migration {
  override async up(): Promise<void> {
    this.addSql('create schema if not exists pennypost_tracking');
    // No index but the key: events are written in bulk and read for one mailing or one month at a time.
    this.addSql(`create table pennypost_tracking.event (
      project_id uuid not null,
      at timestamptz not null,
      id uuid not null,
      kind text not null,
      mailing_id uuid,
      subscriber_id uuid,
      message_id uuid,
      link int,
      method text not null,
      user_agent text,
      sec_fetch_site text,
      sec_fetch_mode text,
      sec_fetch_dest text,
      purpose text,
      network cidr,
      requests int not null default 1,
      requests_before int not null default 0,
      last_at timestamptz not null,
      verdict text not null default 'unknown',
      reason text,
      rule_version int,
      primary key (project_id, at, id)
    ) partition by range (at)`);
    // Takes what no month's partition takes, so that a forgotten month loses nothing.
    this.addSql('create table pennypost_tracking.event_default partition of pennypost_tracking.event default');
    // Room on each page lets a row grow in place (HOT): counts change with every open, the key never does.
    this.addSql(`create table pennypost_tracking.engagement (
      project_id uuid not null,
      mailing_id uuid not null,
      subscriber_id uuid not null,
      first_open_at timestamptz,
      last_open_at timestamptz,
      opens_human int not null default 0,
      opens_machine int not null default 0,
      opens_unknown int not null default 0,
      first_click_at timestamptz,
      last_click_at timestamptz,
      clicks_human int not null default 0,
      clicks_machine int not null default 0,
      clicks_unknown int not null default 0,
      unsubscribed_at timestamptz,
      primary key (project_id, mailing_id, subscriber_id)
    ) with (fillfactor = 80)`);
    this.addSql(`create table pennypost_tracking.link_engagement (
      project_id uuid not null,
      mailing_id uuid not null,
      subscriber_id uuid not null,
      link int not null,
      first_click_at timestamptz not null,
      last_click_at timestamptz not null,
      clicks_human int not null default 0,
      clicks_machine int not null default 0,
      clicks_unknown int not null default 0,
      primary key (project_id, mailing_id, subscriber_id, link)
    ) with (fillfactor = 80)`);
  }
}
