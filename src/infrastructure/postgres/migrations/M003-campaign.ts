import { Migration } from '@mikro-orm/migrations';

/** Campaigns, their mailings, and templates. */
export class M003Campaign extends Migration {
  override async up(): Promise<void> {
    this.addSql('create schema if not exists pennypost_campaign');
    this.addSql(`create table pennypost_campaign.campaign (
      project_id uuid not null,
      id uuid not null,
      name text not null,
      slug text not null,
      subject text not null,
      author jsonb not null,
      content_kind text not null,
      content_version int not null,
      audience jsonb not null,
      track_opens boolean not null,
      track_clicks boolean not null,
      state text not null,
      pause_reason text,
      launch_failure text,
      recipients int not null default 0,
      created_at timestamptz not null,
      scheduled_at timestamptz,
      launched_at timestamptz,
      launched_on date,
      submitted_at timestamptz,
      settled_at timestamptz,
      archived_at timestamptz,
      version int not null default 1,
      primary key (project_id, id)
    )`);
    this.addSql('create unique index campaign_slug on pennypost_campaign.campaign (project_id, slug)');
    this.addSql('create index campaign_name on pennypost_campaign.campaign (project_id, name)');
    // Apart, so that no listing, lock or step reads it: a content may have megabytes.
    this.addSql(`create table pennypost_campaign.campaign_content (
      project_id uuid not null,
      campaign_id uuid not null,
      content jsonb not null,
      primary key (project_id, campaign_id),
      foreign key (project_id, campaign_id) references pennypost_campaign.campaign (project_id, id) on delete cascade
    )`);
    // Made at a launch and never changed. The frozen content is read by processes that render it, and by nothing else.
    this.addSql(`create table pennypost_campaign.mailing (
      project_id uuid not null,
      id uuid not null,
      campaign_id uuid not null,
      launched_on date not null,
      unsubscribe_lists uuid[] not null,
      frozen jsonb not null,
      links jsonb not null,
      primary key (project_id, id),
      foreign key (project_id, campaign_id) references pennypost_campaign.campaign (project_id, id) on delete cascade
    )`);
    this.addSql('create index mailing_campaign on pennypost_campaign.mailing (project_id, campaign_id, id)');
    this.addSql(`create index campaign_due on pennypost_campaign.campaign (scheduled_at, project_id) where state = 'scheduled'`);
    this.addSql(`create table pennypost_campaign.template (
      project_id uuid not null,
      id uuid not null,
      name text not null,
      slug text not null,
      content jsonb not null,
      kind text not null generated always as (content->>'kind') stored,
      subject text not null generated always as (content->>'subject') stored,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      version int not null default 1,
      primary key (project_id, id)
    )`);
    this.addSql('create unique index template_slug on pennypost_campaign.template (project_id, slug)');
  }
}
