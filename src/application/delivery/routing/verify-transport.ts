import type { Project } from '../../../domain/access/index.ts';
import type { Content, Renderer } from '../../../domain/campaign/index.ts';
import type { AttemptOutcome, Transport, TransportSettings } from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import { type EmailAddress, parseAddressee } from '../../../domain/shared/email-address.ts';
import type { Id, Ids } from '../../../domain/shared/ids.ts';
import type { UnitOfWork } from '../../unit-of-work.ts';
import { transactionalPlanContext } from '../plan-context.ts';
import type { OpenTransport } from './routed-transport.ts';

/** What a test of a transport found. */
export interface TransportTest {
  /** The connection was opened and authenticated, and the test message, if one was asked for, was accepted. */
  readonly ok: boolean;
  /** What is wrong, and where; undefined when nothing is. */
  readonly problem: string | undefined;
  /** The end of the test message; undefined without one. */
  readonly message: { readonly outcome: AttemptOutcome; readonly code: number | undefined; readonly reply: string } | undefined;
  readonly milliseconds: number;
}

/** Opens a transport for one test and closes it again. */
export class VerifyTransport {
  readonly #work: UnitOfWork;
  readonly #renderer: Renderer;
  readonly #open: OpenTransport;
  readonly #clock: Clock;
  readonly #ids: Ids;

  constructor(deps: {
    work: UnitOfWork;
    renderer: Renderer;
    openTransport: OpenTransport;
    clock: Clock;
    ids: Ids;
  }) {
    this.#work = deps.work;
    this.#renderer = deps.renderer;
    this.#open = deps.openTransport;
    this.#clock = deps.clock;
    this.#ids = deps.ids;
  }

  /** @throws NotFound, InvalidInput */
  async verify(projectId: Id, named: string, { to }: { readonly to?: string | undefined } = {}): Promise<TransportTest> {
    const addressee = to === undefined ? undefined : parseAddressee(to, '/to');
    const { id, settings, project } = await this.#work.run(async ({ delivery, access }) => ({
      id: (await delivery.transports.get(projectId, named)).id,
      settings: await delivery.transports.settings(projectId, named),
      project: await access.readProject(projectId),
    }));
    const begunAt = this.#clock.monotonic();
    const found = await this.#test(settings, project, addressee);
    if (found.ok) await this.#work.run(({ delivery }) => delivery.transports.recovered(projectId, id));
    return { ...found, milliseconds: Math.round(this.#clock.monotonic() - begunAt) };
  }

  async #test(settings: TransportSettings, project: Project, to: EmailAddress | undefined) {
    const broken = (error: unknown) => ({
      ok: false,
      problem: error instanceof Error ? error.message : String(error),
      message: undefined,
    });
    let transport: Transport;
    try {
      transport = this.#open(settings, { lane: 'transactional', connections: 1 });
    } catch (error) {
      return broken(error);
    }
    try {
      await transport.verify();
      return to === undefined ? { ok: true, problem: undefined, message: undefined } : await this.#send(transport, project, to);
    } catch (error) {
      return broken(error);
    } finally {
      await transport.close();
    }
  }

  async #send(transport: Transport, project: Project, { address, smtputf8 }: EmailAddress) {
    const from = `postmaster@${project.senderDomain}`;
    const content: Content = {
      kind: 'text',
      source: `This message tests a transport of the project ${project.name.replaceAll(/[{}]/g, '')}.\n\nNo answer is needed.\n`,
      subject: 'Test of a transport',
      author: { address: from },
      headers: {},
      defaults: {},
      footer: 'none',
      layout: 'none',
    };
    const plan = await this.#renderer.compile(content, transactionalPlanContext(project));
    const messageId = `${this.#ids.next()}@${project.senderDomain}`;
    const composed = plan.compose({
      address,
      smtputf8,
      variables: {},
      messageId,
      date: this.#clock.now(),
      clickToken: '',
      openToken: '',
      unsubscribeUrl: '',
    });
    const attempt = await transport.submit({ envelope: { from, to: address, smtputf8 }, content: Buffer.from(composed.bytes) });
    composed.release();
    if (attempt.outcome === 'withdrawn') throw new Error('The transport was closed.');
    const { outcome, code, reply } = attempt;
    const ok = outcome === 'submitted';
    return { ok, problem: ok ? undefined : `The test message was not accepted: ${reply}`, message: { outcome, code, reply } };
  }
}
