import { Migration } from '@mikro-orm/migrations';

/** Campaigns and templates. */
export class M003Campaign extends Migration {
  override async up(): Promise<void> {
    this.addSql('create schema if not exists pennypost_campaign');
    this.addSql(`create table pennypost_campaign.campaign (
      project_id uuid not null,
      id uuid not null,
      name text not null,
      content jsonb not null,
      lists uuid[] not null,
      exclude_lists uuid[] not null,
      track_opens boolean not null,
      track_clicks boolean not null,
      state text not null,
      pause_reason text,
      frozen jsonb,
      audience int not null default 0,
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
    this.addSql(`create index campaign_due on pennypost_campaign.campaign (scheduled_at, project_id) where state = 'scheduled'`);
    this.addSql(`create table pennypost_campaign.template (
      project_id uuid not null,
      id uuid not null,
      name text not null,
      content jsonb not null,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      version int not null default 1,
      primary key (project_id, id)
    )`);
  }
}
