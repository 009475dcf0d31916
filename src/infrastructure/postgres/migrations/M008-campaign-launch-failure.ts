import { Migration } from '@mikro-orm/migrations';

/** Why a scheduled campaign was not launched and is a draft again. */
export class M008CampaignLaunchFailure extends Migration {
  override async up(): Promise<void> {
    this.addSql('alter table pennypost_campaign.campaign add column launch_failure text');
  }
}
