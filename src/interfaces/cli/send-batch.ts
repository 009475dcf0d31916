import type { Command } from 'commander';
import type { SendInput } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { type Cli, example, inProject, moment, type Project } from './cli.ts';
import { EXIT } from './exit-codes.ts';
import { addressesOf, spoken } from './message.ts';
import { readText } from './read-content.ts';
import { renderTable } from './table.ts';

export function sendBatchCommand(message: Command, cli: Cli): void {
  const batch = message
    .command('send-batch')
    .description('Send up to 500 messages of a file, each with its own result.')
    .requiredOption('--file <file>', 'JSON array, or JSON Lines, of messages as the HTTP API takes them; - for standard input.')
    .option('--idempotency-key <key>', 'Repeated requests with the same key send the messages once.')
    .action(async ({ file, idempotencyKey }: { file: string; idempotencyKey?: string }) => {
      const given = messagesIn(await readText(cli, file));
      await inProject(cli, async (application, project) => {
        const messages = given.map((one) => timed(one, project, cli)) as SendInput[];
        const { results } = await application.messages.sendBatch(project.id, messages, { idempotencyKey });
        if (results.some(({ error }) => error !== undefined)) cli.endWith(EXIT.failed);
        cli.output.result({ results }, () =>
          renderTable(
            [
              { title: 'To', value: (one) => one.message && addressesOf(one.message) },
              { title: 'State', value: (one) => (one.message === undefined ? 'refused' : spoken(one.message.state)) },
              { title: 'Reason', value: (one) => one.error?.message },
              { title: 'Id', value: (one) => one.message?.id },
            ],
            results,
            cli.output.display,
          ),
        );
      });
    });
  example(batch, 'pennypost message send-batch --file receipts.jsonl --idempotency-key receipts-2026-11-28');
}

function messagesIn(text: string): readonly unknown[] {
  try {
    const whole: unknown = /^\s*\[/.test(text) ? JSON.parse(text) : undefined;
    if (Array.isArray(whole)) return whole;
    return text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => JSON.parse(line));
  } catch (error) {
    throw new InvalidInput(
      `--file holds no JSON array and no JSON Lines (${error instanceof Error ? error.message : String(error)}).`,
    );
  }
}

/** JSON has no times: `sendAt` is text in it. */
function timed(one: unknown, project: Project, cli: Cli): unknown {
  const sendAt: unknown = Reflect.get(Object(one), 'sendAt');
  if (typeof sendAt !== 'string') return one;
  return { ...Object(one), sendAt: moment(sendAt, 'sendAt').in(project.timeZone, cli.clock.now()) };
}
