import { checkDomain, type Dns, type Finding, type Project } from '../../domain/access/index.ts';
import type { ContentProblem } from '../../domain/campaign/index.ts';
import { isLoopbackHost } from '../../domain/delivery/index.ts';
import type { Clock } from '../../domain/shared/clock.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Scope, UnitOfWork } from '../unit-of-work.ts';
import { patiently, type SendingHosts } from './domains.ts';

/** The author's domain is not set up as receivers demand. */
export class DomainNotReady extends DomainError {
  readonly code = 'domain.not_ready';
  readonly kind = 'conflict';
  constructor(problems: readonly ContentProblem[]) {
    super(`The author's domain is not ready for sending. ${problems.map(({ message }) => message).join(' ')}`);
  }
}

/** Their owners publish policies under which receivers refuse mail of other senders, and Gmail forbids it for its own. */
const MAILBOX_PROVIDERS = new Set(
  [
    'gmail.com googlemail.com yahoo.com ymail.com rocketmail.com aol.com outlook.com hotmail.com live.com msn.com icloud.com me.com mac.com',
    'gmx.com gmx.net gmx.de web.de t-online.de freenet.de mail.ru yandex.ru yandex.com qq.com 163.com 126.com proton.me protonmail.com',
    'zoho.com fastmail.com comcast.net orange.fr wanadoo.fr laposte.net libero.it',
  ].flatMap((names) => names.split(' ')),
);

const SUBJECTS: Readonly<Record<Finding['about'], string>> = {
  dkim: 'DKIM',
  dmarc: 'DMARC',
  spf: 'SPF',
  return_path: 'Return path',
  mx: 'MX',
  ptr: 'PTR',
};

/**
 * What a launch demands of the author's domain: the DNS is asked at that moment. A record that is wrong blocks the launch; name servers
 * that do not answer do not, since they say nothing about the records.
 */
export class DomainGate {
  readonly #work: UnitOfWork;
  readonly #dns: Dns;
  readonly #clock: Clock;
  readonly #sendingHosts: SendingHosts;
  readonly #localTransport: boolean;

  constructor(deps: {
    work: UnitOfWork;
    dns: Dns;
    clock: Clock;
    sendingHosts: SendingHosts;
    /** Mail of projects without transports of their own stays on this machine. */
    localTransport: boolean;
  }) {
    this.#work = deps.work;
    this.#dns = deps.dns;
    this.#clock = deps.clock;
    this.#sendingHosts = deps.sendingHosts;
    this.#localTransport = deps.localTransport;
  }

  /** @throws DomainNotReady */
  async require(project: Project, author: string): Promise<void> {
    const errors = (await this.problems(project, author)).filter(({ severity }) => severity === 'error');
    if (errors.length > 0) throw new DomainNotReady(errors);
  }

  /** The same as a list, warnings included. Not inside a transaction: name servers may take seconds. */
  async problems(project: Project, address: string): Promise<readonly ContentProblem[]> {
    if (await this.#work.run((scope) => staysHere(scope, project.id, this.#localTransport))) return [];
    const author = address.slice(address.lastIndexOf('@') + 1);
    if (MAILBOX_PROVIDERS.has(author))
      return [
        problem(
          'error',
          'mailbox_provider',
          `Receivers refuse mail from ${author} that its owner did not send. Use a domain of your own.`,
        ),
      ];
    const name = project.signingDomain(address);
    if (name === undefined)
      return [
        problem(
          'warning',
          'not_signed',
          `Mail from ${author} is not signed by this instance. Unless the relay signs it, large receivers refuse bulk mail: pennypost domain create ${author}`,
        ),
      ];
    return this.#checked(project.id, name, author);
  }

  async #checked(projectId: Id, name: string, author: string): Promise<readonly ContentProblem[]> {
    const { domain, hosts } = await this.#work.run(async (scope) => ({
      domain: await scope.access.domains.get(projectId, name),
      hosts: await this.#sendingHosts(scope, projectId),
    }));
    const dns = patiently({ dns: this.#dns, clock: this.#clock });
    const { findings } = await checkDomain(dns, domain, { hosts, author, now: this.#clock.now() });
    return findings
      .filter(({ level }) => level !== 'pass')
      .map(({ about, level, host, found, advice }) =>
        problem(level === 'fail' ? 'error' : 'warning', about, `${SUBJECTS[about]} of ${host}: ${found}. ${advice}`),
      );
  }
}

/**
 * Whether mail of the project does not leave this machine, so that no receiver looks at it.
 * @param localTransport mail of projects without transports of their own stays here
 */
export async function staysHere({ delivery }: Pick<Scope, 'delivery'>, projectId: Id, localTransport: boolean): Promise<boolean> {
  const transports = (await delivery.transports.list(projectId)).filter(({ state }) => state === 'active');
  if (transports.length === 0) return localTransport;
  return transports.every(
    ({ kind, settings }) => kind === 'directory' || (kind === 'smtp' && isLoopbackHost(String(settings.host))),
  );
}

const problem = (severity: ContentProblem['severity'], code: string, message: string): ContentProblem => ({
  severity,
  code: `domain.${code}`,
  part: 'settings',
  message,
});
