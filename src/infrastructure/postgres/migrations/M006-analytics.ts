import { Migration } from '@mikro-orm/migrations';

/** Numbers kept as facts arrive. */
export class M006Analytics extends Migration {
  override async up(): Promise<void> {
    this.addSql('create schema if not exists pennypost_analytics');
    // Byte order ("C"): the key then finds all subjects of a campaign by their beginning, whatever the database's language.
    // Half of each page is free: a counter of the present hour changes 50 times a second, in place (HOT).
    this.addSql(`create table pennypost_analytics.counter (
      project_id uuid not null,
      subject text collate "C" not null,
      day date not null,
      hour smallint not null,
      kind text collate "C" not null,
      value bigint not null,
      primary key (project_id, subject, day, hour, kind)
    ) with (fillfactor = 50)`);
  }
}
