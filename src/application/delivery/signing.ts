import { type KeyAlgorithm, type KeyRing, type Project, sealedPlaceOf } from '../../domain/access/index.ts';
import type { Transport } from '../../domain/delivery/index.ts';
import type { Clock } from '../../domain/shared/clock.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Log } from '../log.ts';
import type { UnitOfWork } from '../unit-of-work.ts';

export interface SigningKey {
  readonly selector: string;
  readonly algorithm: KeyAlgorithm;
  /** PKCS #8 in PEM. */
  readonly privateKey: string;
}

/** Signs messages for one domain. */
export interface MessageSigner {
  /** @returns the message with its signatures in front. `content` must not change until then, and is not changed. */
  sign(content: Uint8Array, at: Date): Promise<Uint8Array>;
}

/** Asked for every message of an author. */
export interface AuthorSigner {
  /** Undefined: mail of this author is not signed. */
  readonly signer: MessageSigner | undefined;
}

/** Whether signatures reach the recipient whole. A provider that writes a message or a Message-ID of its own signs it itself. */
export const keepsSignatures = ({ capabilities }: Pick<Transport, 'capabilities'>): boolean =>
  capabilities.content === 'mime' && capabilities.keepsMessageId;

/** How long a process signs with keys that were replaced or deleted meanwhile; their DNS records stay for seven days. */
const FRESH_MS = 30_000;
const MOST_AUTHORS = 1_000;

interface Known {
  signer: MessageSigner | undefined;
  readAt: number;
  reading: boolean;
}

/** The keys that sign for the authors of this process's messages, read again every 30 seconds while they are used. */
export class Signing {
  readonly #work: UnitOfWork;
  readonly #keys: KeyRing;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #create: (domain: string, keys: readonly SigningKey[]) => MessageSigner;
  readonly #known = new Map<string, Promise<Known>>();

  constructor(deps: {
    work: UnitOfWork;
    keys: KeyRing;
    clock: Clock;
    log: Log;
    create: (domain: string, keys: readonly SigningKey[]) => MessageSigner;
  }) {
    this.#work = deps.work;
    this.#keys = deps.keys;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#create = deps.create;
  }

  /** Signs a single message for its transport. Of a project without verified domains nothing is asked. @throws SealBroken */
  async signed(transport: Transport, project: Project, author: string, content: Uint8Array): Promise<Uint8Array> {
    if (project.verifiedDomains.length === 0 || !keepsSignatures(transport)) return content;
    const { signer } = await this.of(project.id, author);
    return signer === undefined ? content : signer.sign(content, this.#clock.now());
  }

  /** @throws SealBroken when a key of the author's domain cannot be opened: the mail must not go unsigned */
  async of(projectId: Id, author: string): Promise<AuthorSigner> {
    const name = `${projectId}/${author}`;
    const known = await (this.#known.get(name) ?? this.#first(name, projectId, author));
    const refresh = (): void => this.#refresh(known, projectId, author);
    return {
      get signer() {
        refresh();
        return known.signer;
      },
    };
  }

  #first(name: string, projectId: Id, author: string): Promise<Known> {
    const reading = this.#read(projectId, author).then((signer) => ({
      signer,
      readAt: this.#clock.monotonic(),
      reading: false,
    }));
    this.#known.set(name, reading);
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size > MOST_AUTHORS) this.#known.delete(oldest);
    reading.catch(() => this.#known.delete(name));
    return reading;
  }

  /** In the background: a message does not wait for it. Where it fails, the keys at hand are used on. */
  #refresh(known: Known, projectId: Id, author: string): void {
    if (known.reading || this.#clock.monotonic() - known.readAt < FRESH_MS) return;
    known.reading = true;
    this.#read(projectId, author)
      .then((signer) => {
        known.signer = signer;
        known.readAt = this.#clock.monotonic();
      })
      .catch((error: unknown) =>
        this.#log.warn({ reason: error }, 'the signing keys could not be read again; the known ones sign'),
      )
      .finally(() => {
        known.reading = false;
      });
  }

  async #read(projectId: Id, author: string): Promise<MessageSigner | undefined> {
    return this.#work.single(async ({ access }) => {
      const domain = (await access.readProject(projectId)).signingDomain(author);
      if (domain === undefined) return undefined;
      const keys = (await access.domains.activeKeys(projectId, domain)).flatMap(
        ({ id, selector, algorithm, sealedPrivateKey }): SigningKey[] =>
          sealedPrivateKey === undefined
            ? []
            : [{ selector, algorithm, privateKey: this.#keys.open(projectId, sealedPrivateKey, sealedPlaceOf(id)) }],
      );
      return keys.length === 0 ? undefined : this.#create(domain, keys);
    });
  }
}
