import { Migration } from '@mikro-orm/migrations';

/** Projects, API keys, and the instance's own row. */
export class M001Access extends Migration {
  override async up(): Promise<void> {
    this.addSql('create schema if not exists pennypost_access');
    this.addSql(`create table pennypost_access.project (
      id uuid primary key,
      name text not null,
      slug text not null unique,
      sender_domain text not null,
      author_domains text[] not null default '{}',
      tracking_base_url text,
      postal_address text not null,
      time_zone text not null,
      default_language text not null,
      keep_messages_days int not null,
      keep_events_days int not null,
      verified_domains text[] not null default '{}',
      created_at timestamptz not null,
      version int not null default 1
    )`);
    this.addSql(`create table pennypost_access.api_key (
      project_id uuid not null references pennypost_access.project (id),
      id uuid not null,
      name text not null,
      scopes text[] not null,
      secret_hash text not null,
      requests_per_second int not null,
      created_at timestamptz not null,
      expires_at timestamptz,
      revoked_at timestamptz,
      last_used_at timestamptz,
      primary key (project_id, id)
    )`);
    // Without the project on purpose: the secret is what tells which project a request is about.
    this.addSql('create unique index api_key_secret on pennypost_access.api_key (secret_hash)');
    // Projects whose rows in other tables are still being removed.
    this.addSql(`create table pennypost_access.deleted_project (
      id uuid primary key,
      deleted_at timestamptz not null
    )`);
    // One row at most; `paused_at` is set when a restored database must not mail the past.
    this.addSql(`create table pennypost_access.instance (
      only_row boolean primary key default true check (only_row),
      key_fingerprint text not null,
      public_url text,
      created_at timestamptz not null,
      paused_at timestamptz
    )`);
    this.addSql(`create table pennypost_access.domain (
      project_id uuid not null,
      id uuid not null,
      name text not null,
      created_at timestamptz not null,
      verified_at timestamptz,
      checked_at timestamptz,
      findings jsonb not null default '[]',
      primary key (project_id, id),
      unique (project_id, name)
    )`);
    // The state follows from the three times; the private key is removed when another key has taken over.
    this.addSql(`create table pennypost_access.dkim_key (
      project_id uuid not null,
      id uuid not null,
      domain_id uuid not null,
      selector text not null,
      algorithm text not null,
      public_key text not null,
      sealed_private_key bytea,
      created_at timestamptz not null,
      activated_at timestamptz,
      replaced_at timestamptz,
      primary key (project_id, id),
      foreign key (project_id, domain_id) references pennypost_access.domain (project_id, id) on delete cascade
    )`);
    // Finds the keys of a domain.
    this.addSql('create index dkim_key_domain on pennypost_access.dkim_key (project_id, domain_id)');
  }
}
