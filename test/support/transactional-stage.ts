import { TransactionalWays } from '../../src/application/delivery/routing/transactional-ways.ts';
import type { AcceptedMessage } from '../../src/application/delivery/transactional/accept-message.ts';
import type { Message } from '../../src/application/delivery/transactional/message-details.ts';
import type { SendTransactional } from '../../src/application/delivery/transactional/send-transactional.ts';
import type { Attempt, DeliveryService, Envelope, MessageFacts, Transport } from '../../src/domain/delivery/index.ts';
import type { Clock } from '../../src/domain/shared/clock.ts';
import { tokens } from '../../src/infrastructure/container.ts';
import { inTransaction } from '../../src/infrastructure/postgres/session.ts';
import { MemoryTransport } from '../../src/infrastructure/transports/memory.ts';
import { anAttempt } from './builders-delivery.ts';
import { openTestInstance, type TestInstance } from './instance.ts';

/** A whole instance whose transactional lane is asked by hand, over a transport that is told what to answer. */
export class TransactionalStage {
  static readonly content = {
    kind: 'text',
    source: 'Hello {{ name }}',
    subject: 'Your code',
    author: { address: 'hello@news.example.com' },
  } as const;

  /** What the next attempts come to; submitted when there is nothing more. */
  answers: (Attempt | (() => Promise<Attempt>))[] = [];
  /** Message-IDs in the order of hand-over. */
  handed: string[] = [];
  /** Whether each of them carried the mark of a possible repeat. */
  marked: boolean[] = [];
  /** What was handed over, in order. */
  sent: { readonly envelope: Envelope; readonly text: string }[] = [];
  projectId = '';
  made = 0;
  #instance: TestInstance | undefined;

  get instance(): TestInstance {
    if (this.#instance === undefined) throw new Error('The stage is not open.');
    return this.#instance;
  }

  async open(): Promise<void> {
    const transport = new MemoryTransport({
      answer: async (message) => {
        const text = Buffer.from(message.content).toString();
        this.handed.push(/^Message-ID: (.*)\r$/im.exec(text)?.[1] ?? 'no Message-ID');
        this.sent.push({ envelope: message.envelope, text });
        this.marked.push(/^X-Pennypost-Possible-Repeat: yes\r$/im.test(text));
        const answer = this.answers.shift() ?? anAttempt();
        return typeof answer === 'function' ? answer() : answer;
      },
    });
    this.#instance = await openTestInstance({ transport, stillTime: true });
  }

  get clock(): Clock {
    return this.instance.get(tokens.clock);
  }

  close(): Promise<void> {
    return this.instance.close();
  }

  /** A project without messages, and no job. */
  async fresh(): Promise<void> {
    this.answers = [];
    this.handed = [];
    this.marked = [];
    this.sent = [];
    this.projectId = await this.project();
    await this.sql('truncate pennypost_delivery.transactional_message cascade');
    await this.forgetJobs();
  }

  async project(): Promise<string> {
    this.made += 1;
    const wish = { name: `P${this.made}`, senderDomain: 'news.example.com', postalAddress: '1 Road' };
    return (await this.instance.application.projects.create(wish)).id;
  }

  /** The ways of projects without transports, over this one. */
  waysTo(environment: Transport): TransactionalWays {
    return new TransactionalWays({ environment, routing: this.instance.get(tokens.routing), clock: this.clock });
  }

  get sender(): SendTransactional {
    return this.instance.get(tokens.transactional);
  }

  sql<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return inTransaction(this.instance.get(tokens.orm), (session) => session.sql.query<Row>(text, values));
  }

  delivery<T>(work: (service: DeliveryService) => Promise<T>): Promise<T> {
    return this.instance.get(tokens.work).run((scope) => work(scope.delivery));
  }

  accept(given: object = {}): Promise<AcceptedMessage> {
    const input = { to: 'ada@example.com', content: TransactionalStage.content, variables: { name: 'Ada' }, ...given };
    return this.instance.application.messages.send(this.projectId, input);
  }

  send(message: { readonly id: string }): Promise<MessageFacts | undefined> {
    return this.sender.send(this.projectId, message.id);
  }

  /** A message to one recipient, with what became of it for that recipient. */
  async look(message: { readonly id: string }) {
    const { recipients, ...found } = await this.instance.application.messages.get(this.projectId, message.id);
    const [recipient] = recipients;
    if (recipient === undefined || recipients.length > 1) throw new Error('This message has not one recipient.');
    return { ...found, ...recipient };
  }

  /** As the lane sees it. */
  async facts({ id }: { readonly id: string }): Promise<MessageFacts> {
    return (await this.delivery((service) => service.transactional.get(this.projectId, id)))[0];
  }

  /** What the message keeps of its request; the verbs do not show it. */
  async kept(message: { readonly id: string }): Promise<{ content: unknown; variables: unknown }> {
    const [row] = await this.sql<{ content: unknown; variables: unknown }>(
      'select content, variables from pennypost_delivery.transactional_message where id = $1',
      [message.id],
    );
    return row ?? { content: undefined, variables: undefined };
  }

  async messages(): Promise<readonly Message[]> {
    return (await this.instance.application.messages.list(this.projectId, {})).items;
  }

  /** Jobs that wait to be taken, the oldest first. */
  jobs() {
    return this.sql<{ data: { messageId: string }; start_after: Date }>(
      `select data, start_after from pennypost_jobs.job where name = 'transactional.send' and state = 'created' order by created_on`,
    );
  }

  async forgetJobs(): Promise<void> {
    await this.sql('delete from pennypost_jobs.job where name = $1', ['transactional.send']);
  }
}
