import type { Command } from 'commander';
import type { ContentInput, MessageFacts } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { type Cli, example, gather, inProject, type Project, pairs } from './cli.ts';
import { EXIT } from './exit-codes.ts';
import { messageShown } from './message.ts';
import { readContent } from './read-content.ts';
import { objectOf } from './subscriber.ts';
import { renderTable } from './table.ts';
import { formatCounted } from './text.ts';
import type { Instance } from './workbench.ts';
import { checkWayOut, someoneWorks, untilDone } from './working.ts';

interface SendOptions {
  readonly to: string;
  readonly from?: string;
  readonly subject?: string;
  readonly text?: string;
  readonly file?: string;
  readonly template?: string;
  readonly variable?: readonly string[];
  readonly variables?: string;
  readonly idempotencyKey?: string;
  readonly wait?: boolean;
}

export function sendCommand(message: Command, cli: Cli): void {
  const send = message
    .command('send')
    .description('Send a transactional message, such as a receipt or a password reset.')
    .requiredOption('--to <address>', 'Address of the recipient.')
    .option('--file <file>', 'Content file with front matter (subject, author), or - for standard input.')
    .option('--template <id>', 'Id of a template to use in place of a file.')
    .option('--from <mailbox>', 'Author of an inline message, such as "Shop <shop@example.org>".')
    .option('--subject <text>', 'Subject of an inline message.')
    .option('--text <text>', 'Plain text of an inline message.')
    .option('--variable <name=value>', 'Text variable. May be repeated.', gather)
    .option('--variables <json>', 'Variables as a JSON object.')
    .option('--idempotency-key <key>', 'Repeated requests with the same key send one message.')
    .option('--wait', 'Wait until the message is handed over. Exit code 0 only when it was submitted.')
    .action(async (options: SendOptions) => {
      const content = await contentOf(cli, options);
      await inProject(
        cli,
        async (application, project, instance) => {
          if (options.wait === true) await checkWayOut(instance, 'transactional');
          const accepted = await application.messages.send(project.id, {
            to: options.to,
            templateId: options.template,
            content,
            variables: { ...objectOf(options.variables), ...pairs(options.variable ?? [], '--variable') },
            idempotencyKey: options.idempotencyKey,
          });
          await followMessages(cli, instance, project, [accepted], options.wait === true);
        },
        { works: options.wait === true },
      );
    });
  example(
    send,
    'pennypost message send --to ada@example.org --from "Shop <shop@news.harbour.example>" --subject "Your receipt" --text "Thank you." --wait',
    'pennypost message send --to ada@example.org --file receipt.md --variable order=4711 --idempotency-key order-4711',
  );
}

async function contentOf(cli: Cli, options: SendOptions): Promise<ContentInput | undefined> {
  const given = [options.file, options.template, options.text].filter((one) => one !== undefined).length;
  if (given !== 1) throw new InvalidInput('Give the content once: --file, --template, or --from with --subject and --text.');
  if (options.template !== undefined) return undefined;
  if (options.file !== undefined) return (await readContent(cli, options.file)).content;
  if (options.from === undefined || options.subject === undefined || options.text === undefined)
    throw new InvalidInput('An inline message needs --from, --subject and --text.');
  const { mailboxOf } = await import('./content-file.ts');
  return { kind: 'text', source: options.text, subject: options.subject, author: mailboxOf(options.from) };
}

/** Waits for messages to be handed over, or says who will do it. */
export async function followMessages(
  cli: Cli,
  instance: Instance,
  project: Project,
  accepted: readonly MessageFacts[],
  wait: boolean,
): Promise<void> {
  const { application } = instance;
  let messages = accepted;
  if (wait) {
    const waiting = (message: MessageFacts): boolean => message.state === 'accepted' || message.state === 'attempting';
    const done = await untilDone(cli, instance, 'transactional', async () => {
      messages = await Promise.all(
        messages.map((message) => (waiting(message) ? application.messages.get(project.id, message.id) : message)),
      );
      return !messages.some(waiting);
    });
    const left = messages.filter(waiting).length;
    if (!done && left === 0) cli.output.note('Interrupted. All messages were already handed over.');
    else if (!done)
      cli.output.note(
        `Interrupted. ${formatCounted(left, 'message stays accepted, and goes', 'messages stay accepted, and go')} out when a worker runs.`,
      );
    cli.endWith(exitOf(messages));
  } else if (!(await someoneWorks(application, 'transactional'))) {
    cli.output.warn(
      'no worker is running: the message is sent when "pennypost serve" or "pennypost work" runs. With --wait this process sends it.',
    );
  }
  const shown = messages.map(messageShown);
  cli.output.result(accepted.length === 1 ? shown[0] : { messages: shown }, () =>
    renderTable(
      [
        { title: 'To', value: (one) => one.to },
        { title: 'State', value: (one) => one.state.replace('_', ' ') },
        { title: 'Reply', value: (one) => one.reply },
        { title: 'Next attempt', value: (one) => one.nextAttemptAt },
        { title: 'Id', value: (one) => one.id },
      ],
      shown,
      cli.output.display,
    ),
  );
}

function exitOf(messages: readonly MessageFacts[]): number {
  if (messages.every(({ state }) => state === 'submitted')) return EXIT.ok;
  const later = messages.some(({ state }) => state === 'deferred' || state === 'accepted' || state === 'attempting');
  return later ? EXIT.unavailable : EXIT.failed;
}
