import { Migration } from '@mikro-orm/migrations';

/** Since when a worker has told without a gap that it lives: only such a one may tell of others that they are gone. */
export class M007WorkerSteadiness extends Migration {
  override async up(): Promise<void> {
    this.addSql('alter table pennypost_delivery.worker add column steady_since timestamptz not null default clock_timestamp()');
  }
}
