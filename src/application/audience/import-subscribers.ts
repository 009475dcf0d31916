import {
  addressesIn,
  type ErasureKeys,
  erasureMarker,
  IMPORT_AGAIN,
  type Import,
  ImportColumns,
  ImportDepartures,
  type ImportedPerson,
  type ImportLoad,
  type ImportLoader,
  type MarkedAddress,
  type NewImport,
  type Rejection,
  rejection,
  type StagedRejection,
  type StagedRow,
} from '../../domain/audience/index.ts';
import { closing } from '../../domain/shared/clean-up.ts';
import type { Clock } from '../../domain/shared/clock.ts';
import { csvRow } from '../../domain/shared/csv.ts';
import { DomainError, InvalidInput } from '../../domain/shared/errors.ts';
import type { Id, Ids } from '../../domain/shared/ids.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import type { FileOptions, FileRow, SubscriberFile, SubscriberFiles } from './subscriber-files.ts';

export interface ImportRequest extends NewImport, FileOptions {}

/** Told after every batch, some thousand rows. */
export interface ImportProgress {
  readonly rows: number;
  readonly rejected: number;
  readonly bytes: number;
}

/** Rows that travel together: large enough for COPY, small enough to be nothing in memory. */
const BATCH_ROWS = 1_000;

/**
 * Imports a file of subscribers, in transactions of its own: the import is recorded as running, the whole file is read, and
 * subscribers are merged in batches. A failed import records the number of subscribers that it had changed.
 */
export class ImportSubscribers {
  readonly #work: UnitOfWork;
  readonly #files: SubscriberFiles;
  readonly #loader: ImportLoader;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #erasureKeys: (projectId: Id) => ErasureKeys;

  constructor(deps: {
    work: UnitOfWork;
    files: SubscriberFiles;
    loader: ImportLoader;
    clock: Clock;
    ids: Ids;
    erasureKeys: (projectId: Id) => ErasureKeys;
  }) {
    this.#work = deps.work;
    this.#files = deps.files;
    this.#loader = deps.loader;
    this.#clock = deps.clock;
    this.#ids = deps.ids;
    this.#erasureKeys = deps.erasureKeys;
  }

  /**
   * Reads the source to its end and answers with the finished import.
   * @param source bytes of CSV or JSON Lines; ended when the import fails before its end
   * @throws InvalidInput | NotFound | ListArchived before anything was stored; ImportUnreadable | ImportsBusy and whatever the
   *   source or the database fail of, after the import was recorded as failed
   */
  async run(
    projectId: Id,
    source: AsyncIterable<Uint8Array>,
    request: ImportRequest,
    onProgress: (progress: ImportProgress) => void = () => undefined,
  ): Promise<Import> {
    const imported = await this.#work.run(({ audience }) => audience.imports.start(projectId, request));
    try {
      await this.#loader.run(imported, (load) => this.#load(imported, load, source, request, onProgress));
    } catch (error) {
      const failure = failureOf(error);
      // When this fails as well, the next import finds the running one abandoned; the first error is the one to tell.
      await Promise.allSettled([this.#work.run(({ audience }) => audience.imports.fail(projectId, imported.id, failure))]);
      throw error;
    }
    return this.#work.run(({ audience }) => audience.imports.get(projectId, imported.id));
  }

  /** The rejected rows of an import as CSV, page by page: line, reason, then the row's own cells. Safe to open in a spreadsheet. */
  async *rejectionsCsv(projectId: Id, importId: Id): AsyncGenerator<string> {
    const { columns } = await this.#work.run(({ audience }) => audience.imports.get(projectId, importId));
    yield csvRow(['line', 'reason', ...(columns ?? ['row'])]);
    for (let after: string | undefined; ; ) {
      const page = await this.#work.run(({ audience }) =>
        audience.imports.rejections(projectId, importId, { limit: 500, after }),
      );
      yield page.items.map(({ line, reason, cells }) => csvRow([line, reason, ...cells])).join('');
      if (page.next === undefined) return;
      after = page.next;
    }
  }

  async #load(
    imported: Import,
    load: ImportLoad,
    source: AsyncIterable<Uint8Array>,
    options: FileOptions,
    onProgress: (progress: ImportProgress) => void,
  ): Promise<void> {
    const file = await this.#files.open(source, options);
    await closing(
      () => this.#readInto(load, imported, file, onProgress),
      () => file.close(),
    );
  }

  async #readInto(
    load: ImportLoad,
    imported: Import,
    file: SubscriberFile,
    onProgress: (progress: ImportProgress) => void,
  ): Promise<void> {
    const columns = new ImportColumns(file.header, imported.map);
    const departures = new ImportDepartures(imported);
    const [present, ...older] = this.#erasureKeys(imported.projectId);
    const marks: Marks = { present: erasureMarker(present), older: older.map(erasureMarker) };
    let rows: StagedRow[] = [];
    let rejections: StagedRejection[] = [];
    const progress = { rows: 0, rejected: 0, bytes: 0 };
    const hand = async (): Promise<void> => {
      progress.rows += rows.length + rejections.length;
      progress.rejected += rejections.length;
      progress.bytes = file.bytesRead();
      await load.add(rows, rejections);
      [rows, rejections] = [[], []];
      onProgress({ ...progress });
    };
    for await (const batch of withHeader(file, columns.headerIsRow)) {
      for (const row of batch) {
        try {
          const person = read(columns, row);
          rows.push(this.#staged(row.line, person, departures.judge(person), marks, imported.consent !== null));
        } catch (error) {
          if (!(error instanceof InvalidInput)) throw error;
          rejections.push(staged(rejection(row.line, error.message, 'cells' in row ? row.cells : [row.text]), marks));
        }
      }
      if (rows.length + rejections.length >= BATCH_ROWS) await hand();
    }
    await hand();
    departures.requireDecision();
    if (departures.found > 0) columns.warnings.about(null, recordedAs(departures.found));
    const { encoding, note } = file.encoding();
    if (note !== undefined) columns.warnings.about(null, note);
    const names = file.header === undefined ? null : columns.names;
    await load.finish({ columns: names, encoding, warnings: columns.warnings.all() }, this.#clock.now());
  }

  #staged(line: number, person: ImportedPerson, departure: StagedRow['departure'], marks: Marks, consents: boolean): StagedRow {
    const { email, locale, timeZone, attributes } = person;
    return {
      line,
      subscriberId: this.#ids.next(),
      consentId: consents ? this.#ids.next() : null,
      address: email.address,
      ...marked(email.key, marks),
      locale,
      timeZone,
      attributes,
      departure,
    };
  }
}

/** What an erased address would be kept as, under the present secret and under those before it. */
interface Marks {
  readonly present: (emailKey: string) => string;
  readonly older: readonly ((emailKey: string) => string)[];
}

/** What the file or the request is at fault for says all there is to say; anything else may have stopped the merge half-way. */
function failureOf(error: unknown): string {
  if (!(error instanceof DomainError)) return `The import stopped because of an internal error. ${IMPORT_AGAIN}`;
  // Which server is away, and where, is for the log: keys of the API read this.
  return error.kind === 'unavailable'
    ? `The import stopped because the database was unavailable. ${IMPORT_AGAIN}`
    : error.message;
}

const marked = (emailKey: string, { present, older }: Marks): MarkedAddress => ({
  emailKey,
  mark: present(emailKey),
  olderMarks: older.map((mark) => mark(emailKey)),
});

function staged(rejected: Rejection, marks: Marks): StagedRejection {
  const keys = addressesIn([rejected.reason, ...rejected.cells]);
  if (keys !== undefined) return { ...rejected, addresses: keys.map((key) => marked(key, marks)) };
  const reason = 'This row cannot be read. Its cells are not stored, because they contain too many addresses.';
  return { line: rejected.line, reason, cells: [], addresses: [] };
}

const recordedAs = (rows: number): string =>
  `${rows === 1 ? '1 row was' : `${rows.toLocaleString('en')} rows were`} imported as unsubscribed or suppressed: these subscribers get no campaigns of these lists.`;

/** A file without a header begins with a subscriber. */
async function* withHeader({ header, batches }: SubscriberFile, headerIsRow: boolean): AsyncGenerator<readonly FileRow[]> {
  if (headerIsRow && header !== undefined) yield [{ line: header.line, cells: header.cells }];
  yield* batches;
}

/** @throws InvalidInput whose message is the reason of the rejection. */
function read(columns: ImportColumns, row: FileRow): ImportedPerson {
  if ('problem' in row && row.problem !== undefined) throw new InvalidInput(row.problem);
  if ('cells' in row) return columns.readCells(row.cells, row.line);
  if ('record' in row) return columns.readRecord(row.record, row.line);
  throw new InvalidInput('The row cannot be read.');
}
