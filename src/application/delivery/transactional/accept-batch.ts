import type { Project } from '../../../domain/access/index.ts';
import { type NewMessage, requestFingerprint, type StoredBatch } from '../../../domain/delivery/index.ts';
import { DomainError, InvalidInput } from '../../../domain/shared/errors.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import type { BulkScope, JoinedWork, UnitOfWork } from '../../unit-of-work.ts';
import { type AcceptMessage, type AcceptOptions, contentFor, enqueueAll, IdempotencyConflict } from './accept-message.ts';
import { type Message, messageAtAcceptance } from './message-details.ts';
import { parseMessage, requireKey, type SendInput } from './message-input.ts';

/** Why one message of a batch was refused; the others are accepted all the same. */
export interface BatchRefusal {
  readonly code: string;
  readonly message: string;
  readonly pointer: string | undefined;
}

/** What became of one message of a batch, in the order of the request. */
export type BatchResult =
  | { readonly message: Message; readonly error: undefined }
  | { readonly message: undefined; readonly error: BatchRefusal };

export interface AcceptedBatch {
  readonly results: readonly BatchResult[];
  /** See `AcceptedMessage`. */
  readonly replayed: boolean;
}

export interface BatchOptions extends AcceptOptions {
  /** 1 to 256 characters, for the batch as a whole; a message of it has none. */
  readonly idempotencyKey?: string | undefined;
}

const BATCH_LIMIT = 500;
/** As many contents are compiled at once: there are few threads for it, and other requests want them too. */
const AT_ONCE = 8;

type Checked = { readonly message: NewMessage } | { readonly error: BatchRefusal };

/** Accepts many messages by one transaction, each with its own result. */
export class AcceptBatch {
  readonly #work: UnitOfWork & JoinedWork;
  readonly #accept: AcceptMessage;

  constructor(deps: { work: UnitOfWork & JoinedWork; acceptMessage: AcceptMessage }) {
    this.#work = deps.work;
    this.#accept = deps.acceptMessage;
  }

  /**
   * @param inputs one that the border has refused comes as its error
   * @throws InvalidInput, NotFound (the project), IdempotencyConflict, TransactionUnusable
   */
  async run(
    projectId: Id,
    inputs: readonly (SendInput | DomainError)[],
    { idempotencyKey: key, transaction }: BatchOptions = {},
  ): Promise<AcceptedBatch> {
    if (inputs.length === 0 || inputs.length > BATCH_LIMIT)
      throw new InvalidInput(`A batch has 1 to ${BATCH_LIMIT} messages; this one has ${inputs.length}.`, '/messages');
    requireKey(key);
    const parsed = inputs.map((input, index) => parsedOr(input, `/messages/${index}`));
    const fingerprint = requestFingerprint(parsed.map((one) => ('error' in one ? one.error : one.parsed.fingerprint)));
    const known =
      key === undefined ? undefined : await this.#work.single(({ delivery }) => delivery.transactional.batch(projectId, key));
    if (known !== undefined) return this.#replayed(projectId, known, fingerprint);
    const reads = await this.#reads(projectId, parsed);
    const checked: Checked[] = [];
    for (let from = 0; from < parsed.length; from += AT_ONCE)
      checked.push(
        ...(await Promise.all(
          parsed.slice(from, from + AT_ONCE).map((one, at) => this.#checked(projectId, one, reads, `/messages/${from + at}`)),
        )),
      );
    const messages = checked.flatMap((one) => ('message' in one ? [one.message] : []));
    const store = async (scope: BulkScope) => {
      const accepted = await scope.delivery.transactional.acceptAll(messages, (ids) => {
        const left = [...ids];
        const answer = checked.map((one) => ('error' in one ? { error: one.error } : { id: left.shift() }));
        return key === undefined ? undefined : { projectId, key, fingerprint, answer };
      });
      if (accepted === undefined) return undefined;
      await Promise.all(accepted.map((all) => enqueueAll(scope, projectId, all)));
      return accepted;
    };
    const accepted = await (transaction === undefined ? this.#work.bulk(store) : this.#work.within(transaction, store));
    if (accepted === undefined) {
      const first = await this.#work.single(({ delivery }) => delivery.transactional.batch(projectId, key ?? ''));
      if (first === undefined) throw new Error('A batch was refused for its idempotency key, but no batch has that key.');
      return this.#replayed(projectId, first, fingerprint);
    }
    const left = accepted.map(messageAtAcceptance);
    return { replayed: false, results: checked.map((one) => ('error' in one ? refused(one.error) : stored(left.shift()))) };
  }

  /** Project and suppressions once for all; each template once. @throws NotFound for a project that is gone */
  #reads(projectId: Id, parsed: readonly Parsed[]): Promise<BatchReads> {
    const streams = Map.groupBy(
      parsed.flatMap((one) => ('error' in one ? [] : [one.parsed])),
      ({ labels }) => labels.stream,
    );
    return this.#work.single(async (scope) => {
      const asked = [...streams].map(async ([stream, messages]) => {
        const addresses = messages.flatMap(({ recipients }) => recipients.map(({ address }) => address));
        const { suppressions } = scope.audience;
        return [stream, await suppressions.transactionalRefusals(projectId, [...new Set(addresses)], stream)] as const;
      });
      const [project, ...refusals] = await Promise.all([scope.access.readProject(projectId), ...asked]);
      return { project, refusals: new Map(refusals), templates: new Map() };
    });
  }

  async #checked(projectId: Id, one: Parsed, { project, refusals, templates }: BatchReads, at: string): Promise<Checked> {
    if ('error' in one) return one;
    const { input, parsed } = one;
    const read = () => this.#work.single((scope) => contentFor(scope, projectId, input));
    try {
      const found =
        input.template === undefined || input.content !== undefined ? read() : (templates.get(input.template) ?? read());
      if (input.template !== undefined && input.content === undefined) templates.set(input.template, found);
      const facts = { ...(await found), project, refusals: refusals.get(parsed.labels.stream) ?? new Map() };
      return { message: await this.#accept.checked(projectId, input, parsed, facts) };
    } catch (error) {
      return { error: refusalOf(error, at) };
    }
  }

  async #replayed(projectId: Id, { fingerprint, answer }: StoredBatch, wanted: string): Promise<AcceptedBatch> {
    if (fingerprint !== wanted) throw new IdempotencyConflict();
    const ids = answer.flatMap((one) => one.id ?? []);
    const all = await this.#work.single(({ delivery }) => delivery.transactional.messagesAt(projectId, ids));
    const results = answer.map(({ id, error }) => {
      const copies = id === undefined ? undefined : all.get(id);
      return copies === undefined
        ? refused(error ?? { code: 'resource.not_found', message: 'This message is gone.', pointer: undefined })
        : stored(messageAtAcceptance(copies));
    });
    return { replayed: true, results };
  }
}

interface BatchReads {
  readonly project: Project;
  /** By stream, then by address. */
  readonly refusals: ReadonlyMap<string | undefined, ReadonlyMap<string, string>>;
  readonly templates: Map<string, ReturnType<typeof contentFor>>;
}

type Parsed = { readonly input: SendInput; readonly parsed: ReturnType<typeof parseMessage> } | { readonly error: BatchRefusal };

function parsedOr(input: SendInput | DomainError, at: string): Parsed {
  try {
    if (input instanceof DomainError) throw input;
    if (input.idempotencyKey !== undefined)
      throw new InvalidInput('An idempotency key belongs to the batch, not to one message of it.', `${at}/idempotencyKey`);
    return { input, parsed: parseMessage(input, at) };
  } catch (error) {
    return { error: refusalOf(error, at) };
  }
}

/** What is no fault of the message (the database is away) ends the batch. */
function refusalOf(error: unknown, at: string): BatchRefusal {
  if (!(error instanceof DomainError) || error.kind === 'unavailable') throw error;
  const { code, message, pointer } = error;
  return { code, message, pointer: pointer === undefined || pointer.startsWith(at) ? (pointer ?? at) : `${at}${pointer}` };
}

const refused = (error: BatchRefusal): BatchResult => ({ message: undefined, error });

function stored(message: Message | undefined): BatchResult {
  if (message === undefined) throw new Error('A batch accepted fewer messages than it stored.');
  return { message, error: undefined };
}
