import { Migration } from '@mikro-orm/migrations';

/** A cancelled campaign writes down those whom it did not reach, piece by piece. */
export class M009Cancelling extends Migration {
  override async up(): Promise<void> {
    this.addSql('alter table pennypost_delivery.run add column if not exists cancelling boolean not null default false');
    // Looked through every two seconds: only those that are not through yet.
    this.addSql(
      'create index if not exists run_cancelling on pennypost_delivery.run (project_id, campaign_id) where number = 0 and cancelling',
    );
  }
}
