import { Migration } from '@mikro-orm/migrations';

const STATES = ['submitted', 'deferred', 'rejected', 'in_doubt', 'expired', 'failed', 'skipped', 'cancelled'];

/** Runs and shards, the ledger, transactional messages and the workers. */
export class M004Delivery extends Migration {
  override async up(): Promise<void> {
    this.addSql('create schema if not exists pennypost_delivery');
    // An enum takes 4 bytes where text takes 5 to 10: the ledger is the largest table of all.
    this.addSql(`create type pennypost_delivery.message_state as enum (${STATES.map((state) => `'${state}'`).join(', ')})`);
    this.addSql(`create table pennypost_delivery.run (
      project_id uuid not null,
      mailing_id uuid not null,
      number int not null,
      launched_on date not null,
      purpose text not null,
      state text not null,
      audience int not null default 0,
      created_at timestamptz not null,
      ended_at timestamptz,
      watched boolean not null default true,
      cancelling boolean not null default false,
      primary key (project_id, mailing_id, number)
    )`);
    // Looked through every two seconds for deferrals that are due: it must not grow with the mailings of the past.
    this.addSql(`create index run_watched on pennypost_delivery.run (project_id, mailing_id) where number = 0 and watched`);
    // Looked through every two seconds: only those that still have recipients to mark as cancelled.
    this.addSql('create index run_cancelling on pennypost_delivery.run (project_id, mailing_id) where number = 0 and cancelling');
    this.addSql(`create index run_running on pennypost_delivery.run (project_id, mailing_id, number) where state = 'running'`);
    this.addSql(`create table pennypost_delivery.shard (
      project_id uuid not null,
      mailing_id uuid not null,
      run int not null,
      number int not null,
      launched_on date not null,
      state text not null default 'open',
      recipients uuid[] not null,
      size int not null,
      cursor int not null default 0,
      claimed_through int not null default 0,
      fence int not null default 0,
      batch int not null default 0,
      fence_batches int[] not null default '{}',
      owner uuid,
      leased_until timestamptz,
      ${STATES.map((state) => `${state} int not null default 0`).join(', ')},
      copies int not null default 0,
      possible_repeats int not null default 0,
      primary key (project_id, mailing_id, run, number),
      foreign key (project_id, mailing_id, run) references pennypost_delivery.run (project_id, mailing_id, number) on delete cascade
    ) with (fillfactor = 50)`);
    // Ids do not compress; external storage spares the attempt.
    this.addSql('alter table pennypost_delivery.shard alter column recipients set storage external');
    this.addSql(`create index shard_open on pennypost_delivery.shard (project_id, mailing_id, run, number) where state = 'open'`);
    this.addSql(`create table pennypost_delivery.mailing_recipient (
      project_id uuid not null,
      launched_on date not null,
      mailing_id uuid not null,
      subscriber_id uuid not null,
      run int not null,
      state pennypost_delivery.message_state not null,
      copies smallint not null,
      attempts smallint not null,
      possible_repeat boolean not null,
      code smallint,
      first_attempt_at timestamptz not null,
      at timestamptz not null,
      next_attempt_at timestamptz,
      reply text,
      transport text,
      primary key (project_id, launched_on, mailing_id, subscriber_id)
    ) partition by range (launched_on)`);
    this.addSql(`create index mailing_recipient_due on pennypost_delivery.mailing_recipient
      (project_id, mailing_id, next_attempt_at) where state = 'deferred'`);
    // Submitted rows are nearly all of them: the primary key serves those.
    this.addSql(`create index mailing_recipient_state on pennypost_delivery.mailing_recipient
      (project_id, mailing_id, state, subscriber_id) where state <> 'submitted'`);
    this.addSql(`create table pennypost_delivery.transactional_message (
      project_id uuid not null,
      id uuid not null,
      copy_of uuid,
      position smallint not null default 0,
      recipient text not null,
      smtputf8 boolean not null,
      field text not null default 'to',
      name text,
      content jsonb not null,
      variables jsonb not null,
      template_id uuid,
      stream text,
      tags text[] not null default '{}',
      metadata jsonb,
      send_at timestamptz,
      idempotency_key text,
      fingerprint text not null,
      state text not null,
      attempts int not null,
      faults int not null default 0,
      next_attempt_at timestamptz,
      accepted_at timestamptz not null,
      at timestamptz not null,
      code smallint,
      reply text,
      primary key (project_id, id)
    )`);
    this.addSql(`create unique index transactional_message_idempotency on pennypost_delivery.transactional_message
      (project_id, idempotency_key) where idempotency_key is not null`);
    // copy_of: the message whose further recipient this is, and whose content it has.
    this.addSql(`create index transactional_message_copy on pennypost_delivery.transactional_message
      (project_id, copy_of, position) where copy_of is not null`);
    this.addSql(`create index transactional_message_stream on pennypost_delivery.transactional_message
      (project_id, stream, id) where stream is not null and copy_of is null`);
    // Without the states that nearly every message passes: those would cost an entry with each of them.
    this.addSql(`create index transactional_message_state on pennypost_delivery.transactional_message (project_id, state)
      where state in ('scheduled', 'deferred', 'rejected', 'in_doubt', 'expired', 'failed', 'skipped', 'cancelled')`);
    // Erasing a subscriber finds the messages to an address.
    this.addSql(
      'create index transactional_message_recipient on pennypost_delivery.transactional_message (project_id, lower(recipient))',
    );
    this.addSql(`create index transactional_message_due on pennypost_delivery.transactional_message
      (next_attempt_at, project_id) where next_attempt_at is not null`);
    this.addSql(
      `create index transactional_message_unfinished on pennypost_delivery.transactional_message (at, project_id) where state = 'attempting'`,
    );
    this.addSql(`create table pennypost_delivery.attempt (
      project_id uuid not null,
      message_id uuid not null,
      number int not null,
      started_at timestamptz not null,
      ended_at timestamptz,
      outcome text,
      code smallint,
      reply text,
      fault text,
      worker_id uuid,
      transport text not null,
      primary key (project_id, message_id, number),
      foreign key (project_id, message_id) references pennypost_delivery.transactional_message (project_id, id) on delete cascade
    )`);
    this.addSql(`create table pennypost_delivery.attachment (
      project_id uuid not null,
      message_id uuid not null,
      position smallint not null,
      name text not null,
      type text not null,
      content_id text,
      bytes bytea not null,
      primary key (project_id, message_id, position),
      foreign key (project_id, message_id) references pennypost_delivery.transactional_message (project_id, id) on delete cascade
    )`);
    // Files are compressed formats nearly always: trying again costs time and saves nothing.
    this.addSql('alter table pennypost_delivery.attachment alter column bytes set storage external');
    this.addSql(`create table pennypost_delivery.message_tag (
      project_id uuid not null,
      tag text collate "C" not null,
      message_id uuid not null,
      primary key (project_id, tag, message_id),
      foreign key (project_id, message_id) references pennypost_delivery.transactional_message (project_id, id) on delete cascade
    )`);
    this.addSql('create index message_tag_message on pennypost_delivery.message_tag (project_id, message_id)');
    // What was answered to a batch with an idempotency key: the same key and request get it again.
    this.addSql(`create table pennypost_delivery.message_batch (
      project_id uuid not null,
      key text collate "C" not null,
      fingerprint text not null,
      answer jsonb not null,
      at timestamptz not null,
      primary key (project_id, key)
    )`);
    this.addSql(`create table pennypost_delivery.worker (
      id uuid primary key,
      host text not null,
      pid int not null,
      process text,
      lanes text[] not null,
      started_at timestamptz not null,
      seen_at timestamptz not null,
      progress jsonb not null,
      steady_since timestamptz not null default clock_timestamp()
    )`);
    // One row per project that has or had transports: workers ask for the revision every second, and read the rest when it has grown.
    this.addSql(`create table pennypost_delivery.routing (
      project_id uuid primary key,
      revision bigint not null
    )`);
    this.addSql(`create table pennypost_delivery.transport (
      project_id uuid not null,
      id uuid not null,
      slug text not null,
      name text not null,
      kind text not null,
      settings jsonb not null,
      secret_names text[] not null,
      secrets bytea,
      max_connections int,
      messages_per_second double precision,
      state text not null,
      version int not null,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (project_id, id),
      unique (project_id, slug)
    )`);
    this.addSql(`create table pennypost_delivery.transport_health (
      project_id uuid not null,
      transport_id uuid not null,
      state text not null,
      cause text,
      reason text,
      openings int not null,
      changed_at timestamptz,
      next_trial_at timestamptz,
      trial_by uuid,
      trial_until timestamptz,
      change int not null,
      primary key (project_id, transport_id),
      foreign key (project_id, transport_id) references pennypost_delivery.transport (project_id, id) on delete cascade
    )`);
    this.addSql(`create table pennypost_delivery.route (
      project_id uuid not null,
      id uuid not null,
      transport_id uuid not null,
      lane text,
      receiving_group text,
      priority int not null,
      weight int not null,
      created_at timestamptz not null,
      primary key (project_id, id),
      foreign key (project_id, transport_id) references pennypost_delivery.transport (project_id, id)
    )`);
  }
}
