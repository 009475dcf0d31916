import type { Command } from 'commander';
import type { ContentInput, Message } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { attachedFiles, type FileOptions } from './attached-files.ts';
import { type Cli, choice, example, gather, inProject, moment, type Project, pairs } from './cli.ts';
import { EXIT } from './exit-codes.ts';
import { addressesOf, leastFar, replyOf, spoken } from './message.ts';
import { readContent } from './read-content.ts';
import { objectOf } from './subscriber.ts';
import { renderTable } from './table.ts';
import { formatCounted } from './text.ts';
import type { Instance } from './workbench.ts';
import { checkWayOut, someoneWorks, untilDone } from './working.ts';

interface SendOptions extends FileOptions {
  readonly to: readonly string[];
  readonly cc?: readonly string[];
  readonly bcc?: readonly string[];
  readonly replyTo?: string;
  readonly from?: string;
  readonly subject?: string;
  readonly text?: string;
  readonly file?: string;
  readonly template?: string;
  readonly variable?: readonly string[];
  readonly variables?: string;
  readonly missingVariables?: 'refuse' | 'empty';
  readonly header?: readonly string[];
  readonly stream?: string;
  readonly unsubscribe?: boolean;
  readonly tag?: readonly string[];
  readonly metadata?: string;
  readonly at?: string;
  readonly idempotencyKey?: string;
  readonly wait?: boolean;
}

export function sendCommand(message: Command, cli: Cli): void {
  const send = message
    .command('send')
    .description('Send a transactional message, such as a receipt or a password reset.')
    .requiredOption('--to <address>', 'Address of a recipient, alone or as "Ada Lee <ada@example.org>". May be repeated.', gather)
    .option('--cc <address>', 'Further recipient in Cc. May be repeated.', gather)
    .option('--bcc <address>', 'Further recipient that no header names. May be repeated.', gather)
    .option('--file <file>', 'Content file with front matter (subject, author), or - for standard input.')
    .option('--template <id>', 'Id or slug of a template to use in place of a file.')
    .option('--from <mailbox>', 'Author, such as "Shop <shop@example.org>"; that of a file or template is replaced.')
    .option('--reply-to <mailbox>', 'Address for replies.')
    .option('--header <name=value>', 'Further header. May be repeated.', gather)
    .option('--attach <file>', 'File to attach. May be repeated; 5 MB a file, 7 MB together.', gather)
    .option('--inline <id=file>', 'Image that the HTML shows as <img src="cid:id">. May be repeated.', gather)
    .option('--subject <text>', 'Subject of an inline message.')
    .option('--text <text>', 'Plain text of an inline message.')
    .option('--variable <name=value>', 'Text variable. May be repeated.', gather)
    .option('--variables <json>', 'Variables as a JSON object.')
    .addOption(choice('--missing-variables <how>', 'What becomes of a variable without a value.', ['refuse', 'empty']))
    .option('--stream <name>', 'Named class of mail, such as receipts.')
    .option('--unsubscribe', 'Let recipients leave the stream by one click.')
    .option('--tag <tag>', 'Tag to find the message by. May be repeated.', gather)
    .option('--metadata <json>', 'JSON object that is kept with the message.')
    .option('--at <time>', 'Not to be sent before, such as "tomorrow 9:00". Default: at once.')
    .option('--idempotency-key <key>', 'Repeated requests with the same key send one message.')
    .option('--wait', 'Wait until the message is handed over. Exit code 0 only when it was submitted.')
    .action(async (options: SendOptions) => {
      const [content, attachments] = await Promise.all([contentOf(cli, options), attachedFiles(options)]);
      await inProject(
        cli,
        async (application, project, instance) => {
          if (options.wait === true) await checkWayOut(instance, 'transactional');
          const accepted = await application.messages.send(project.id, {
            to: options.to,
            cc: options.cc,
            bcc: options.bcc,
            from: options.from,
            replyTo: options.replyTo,
            headers: options.header === undefined ? undefined : pairs(options.header, '--header'),
            attachments,
            template: options.template,
            content,
            missingVariables: options.missingVariables,
            stream: options.stream,
            unsubscribe: options.unsubscribe,
            tags: options.tag,
            metadata: options.metadata === undefined ? undefined : objectOf(options.metadata),
            sendAt: options.at === undefined ? undefined : moment(options.at, '--at').in(project.timeZone, cli.clock.now()),
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
    'pennypost message send --to "Ada Lee <ada@example.org>" --bcc books@example.org --template receipt --attach invoice.pdf --stream receipts',
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
  accepted: readonly Message[],
  wait: boolean,
): Promise<void> {
  const { application } = instance;
  let messages = accepted;
  if (wait) {
    const waiting = (message: Message): boolean => message.state === 'accepted' || message.state === 'attempting';
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
  cli.output.result(accepted.length === 1 ? messages[0] : { messages }, () =>
    renderTable(
      [
        { title: 'To', value: addressesOf },
        { title: 'State', value: (one) => spoken(one.state) },
        { title: 'Reply', value: replyOf },
        { title: 'Next attempt', value: (one) => leastFar(one)?.nextAttemptAt },
        { title: 'Id', value: (one) => one.id },
      ],
      messages,
      cli.output.display,
    ),
  );
}

function exitOf(messages: readonly Message[]): number {
  if (messages.every(({ state }) => state === 'submitted')) return EXIT.ok;
  const later = messages.some(({ state }) => state === 'deferred' || state === 'accepted' || state === 'attempting');
  return later ? EXIT.unavailable : EXIT.failed;
}
