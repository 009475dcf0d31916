import type { Command } from 'commander';
import type { Application, Campaign } from '../../application/application.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { campaignShown, fieldsOf } from './campaign-lookup.ts';
import { type Cli, example, inProject, moment, type Project } from './cli.ts';
import { EXIT } from './exit-codes.ts';
import { Progress } from './progress.ts';
import { renderReport } from './report.ts';
import { formatCounted } from './text.ts';
import type { Instance } from './workbench.ts';
import { checkWayOut, someoneWorks, TroubleWatch, untilDone } from './working.ts';

/** There is nothing to follow yet. */
class NotLaunched extends DomainError {
  readonly code = 'campaign.not_launched';
  readonly kind = 'conflict';
  constructor({ name, slug, state }: Campaign) {
    super(`"${name}" is ${state}: it was not launched. Launch and follow it with: pennypost campaign launch ${slug} --watch`);
  }
}

/** What sends: launching, following, pausing, and the schedule. */
export function launchCommands(campaign: Command, cli: Cli): void {
  const launch = campaign
    .command('launch')
    .description('Freeze content and recipients, and start sending.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .option('--watch', 'Follow progress to the end. Sends in this process when no worker runs.')
    .action(async (wanted: string, { watch = false }: { watch?: boolean }) => {
      await inProject(
        cli,
        async (application, project, instance) => {
          if (watch) await checkWayOut(instance, 'bulk');
          if (instance.publicUrlAssumed)
            cli.output.warn(
              `no "pennypost serve" is running, and PENNYPOST_PUBLIC_URL is not set: links of this campaign will always lead to ${instance.publicUrl}.`,
            );
          const launched = await application.campaigns.launch(project.id, wanted);
          cli.output.note(`Launched: ${formatCounted(launched.recipients, 'recipient', 'recipients')}.`);
          await after(cli, instance, project, launched, watch);
        },
        { works: watch },
      );
    });
  example(launch, 'pennypost campaign launch "November letter" --watch');

  const watch = campaign
    .command('watch')
    .description('Follow a launched campaign until all recipients have an outcome.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .action(async (wanted: string) => {
      await inProject(
        cli,
        async (application, project, instance) => {
          const found = await application.campaigns.get(project.id, wanted);
          if (found.launchedAt === null) throw new NotLaunched(found);
          await follow(cli, instance, project, found);
        },
        { works: true },
      );
    });
  example(watch, 'pennypost campaign watch "November letter"');

  const pause = campaign
    .command('pause')
    .description('Pause sending within two seconds. No recipient is lost.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .action((wanted: string) => step(cli, (application, project) => application.campaigns.pause(project.id, wanted)));
  example(pause, 'pennypost campaign pause "November letter"');

  const resume = campaign
    .command('resume')
    .description('Resume a paused campaign. No recipient is skipped or mailed twice.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .option('--watch', 'Follow progress until all recipients have an outcome.')
    .action(async (wanted: string, { watch: follows = false }: { watch?: boolean }) => {
      await inProject(
        cli,
        async (application, project, instance) => {
          await after(cli, instance, project, await application.campaigns.resume(project.id, wanted), follows);
        },
        { works: follows },
      );
    });
  example(resume, 'pennypost campaign resume "November letter" --watch');

  const cancel = campaign
    .command('cancel')
    .description('Cancel a campaign permanently. Messages that were handed over cannot be recalled.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .action((wanted: string) => step(cli, (application, project) => application.campaigns.cancel(project.id, wanted)));
  example(cancel, 'pennypost campaign cancel "November letter"');

  const schedule = campaign
    .command('schedule')
    .description('Launch a draft at a later time. A background worker must be running then.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .requiredOption('--at <time>', "Time in the project's time zone, such as '2026-12-01 08:00' or 'tomorrow 8:00'.")
    .action(async (wanted: string, { at }: { at: string }) => {
      await inProject(cli, async (application, project) => {
        const scheduled = await application.campaigns.schedule(
          project.id,
          wanted,
          moment(at, '--at').in(project.timeZone, cli.clock.now()),
        );
        if (!(await someoneWorks(application, 'background')))
          cli.output.warn('no worker is running. One must run at that time: "pennypost serve" or "pennypost work".');
        cli.output.result(campaignShown(scheduled), () => fieldsOf(scheduled, cli.output.display));
      });
    });
  example(
    schedule,
    'pennypost campaign schedule "November letter" --at "2026-12-01 08:00"',
    'pennypost campaign schedule november-letter --at "tomorrow 9:00"',
  );

  const unschedule = campaign
    .command('unschedule')
    .description('Turn a scheduled campaign into a draft again.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .action((wanted: string) => step(cli, (application, project) => application.campaigns.unschedule(project.id, wanted)));
  example(unschedule, 'pennypost campaign unschedule "November letter"');
}

async function step(cli: Cli, verb: (application: Application, project: Project) => Promise<Campaign>): Promise<void> {
  await inProject(cli, async (application, project) => {
    const changed = await verb(application, project);
    cli.output.result(campaignShown(changed), () => fieldsOf(changed, cli.output.display));
  });
}

async function after(cli: Cli, instance: Instance, project: Project, campaign: Campaign, watch: boolean): Promise<void> {
  if (watch) return follow(cli, instance, project, campaign);
  if (!(await someoneWorks(instance.application, 'bulk')))
    cli.output.warn(
      `no worker is running: nothing is sent until "pennypost serve" or "pennypost work" runs. To send in this process: pennypost campaign watch ${campaign.slug}`,
    );
  cli.output.result(campaignShown(campaign), () => fieldsOf(campaign, cli.output.display));
}

async function follow(cli: Cli, instance: Instance, project: Project, campaign: Campaign): Promise<void> {
  const { campaigns } = instance.application;
  const progress = new Progress({
    stream: cli.output.progressStream,
    clock: cli.clock,
    label: campaign.name,
    total: campaign.recipients,
  });
  const trouble = new TroubleWatch(instance, cli.clock);
  const done = await untilDone(cli, instance, 'bulk', async () => {
    const { state, states, recipients } = await campaigns.progress(project.id, campaign.id);
    const met = await trouble.look();
    for (const line of met.lines) progress.say(line);
    const note = [noteOf(states), ...(met.any ? ['mail is not taken'] : [])].filter((part) => part !== '').join('; ');
    progress.update(recipients - states.pending, { note, total: recipients });
    return state !== 'sending';
  }).finally(() => progress.finish());
  const report = await campaigns.report(project.id, campaign.id);
  if (!done) cli.output.note(interruptedText(campaign, report.states.pending));
  else if (report.state !== 'submitted')
    cli.output.warn(`the campaign is ${report.state}${report.pauseReason === null ? '.' : `: ${report.pauseReason}`}`);
  if (report.states.deferred > 0)
    cli.output.note(
      `${formatCounted(report.states.deferred, 'message is deferred and is', 'messages are deferred and are')} tried again while a worker runs.`,
    );
  cli.output.result(report, () => renderReport(report, undefined, cli.output.display));
  if (!done) cli.endWith(EXIT.failed);
  else if (report.state !== 'submitted') cli.endWith(EXIT.conflict);
}

/** What became of the work. */
function interruptedText({ slug }: Campaign, pending: number): string {
  if (pending === 0) return 'Interrupted. All recipients already have an outcome.';
  const left = formatCounted(pending, 'message is', 'messages are');
  return `Interrupted. ${left} left, which the next worker sends: "pennypost serve", "pennypost work" or "pennypost campaign watch ${slug}". No recipient is skipped or mailed twice.`;
}

/** States that are reported while it runs. */
function noteOf(states: Readonly<Record<string, number>>): string {
  return ['deferred', 'rejected', 'in_doubt', 'failed', 'skipped']
    .filter((state) => (states[state] ?? 0) > 0)
    .map((state) => `${(states[state] ?? 0).toLocaleString('en-US')} ${state.replace('_', ' ')}`)
    .join(', ');
}
