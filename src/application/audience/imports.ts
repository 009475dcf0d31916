import type { Import, Rejection } from '../../domain/audience/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import type { ImportProgress, ImportRequest, ImportSubscribers } from './import-subscribers.ts';

/** Files of subscribers; see `ImportSubscribers` for what is one transaction. */
export interface Imports {
  /**
   * Reads the file to its end and answers with the finished import.
   * @throws InvalidInput | NotFound | ListArchived before anything was stored; ImportUnreadable | ImportsBusy afterwards
   */
  create(
    projectId: Id,
    source: AsyncIterable<Uint8Array>,
    request: ImportRequest,
    onProgress?: (progress: ImportProgress) => void,
  ): Promise<FinishedImport>;
  /** Newest first. */
  list(projectId: Id, page?: PageRequest): Promise<Page<Import>>;
  /** @throws NotFound */
  get(projectId: Id, importId: Id): Promise<Import>;
  /** List the rejected rows, by line. @throws NotFound */
  rejections(projectId: Id, importId: Id, page?: PageRequest): Promise<Page<Rejection>>;
  /** The same as CSV, read as it is taken. @throws NotFound */
  rejectionsCsv(projectId: Id, importId: Id): AsyncIterable<string>;
}

/** With the first rejected rows. */
export interface FinishedImport extends Import {
  readonly firstRejections: readonly Rejection[];
}

const FIRST_REJECTIONS = 10;

export function importVerbs({ work, imports }: { readonly work: UnitOfWork; readonly imports: ImportSubscribers }): Imports {
  return {
    create: async (projectId, source, request, onProgress) => {
      const imported = await imports.run(projectId, source, request, onProgress);
      const { rejected } = imported.totals;
      const { items } =
        rejected === 0
          ? { items: [] }
          : await work.run(({ audience }) => audience.imports.rejections(projectId, imported.id, { limit: FIRST_REJECTIONS }));
      return { ...imported, firstRejections: items };
    },
    list: (projectId, page) => work.run(({ audience }) => audience.imports.list(projectId, page)),
    get: (projectId, importId) => work.run(({ audience }) => audience.imports.get(projectId, importId)),
    rejections: (projectId, importId, page) => work.run(({ audience }) => audience.imports.rejections(projectId, importId, page)),
    rejectionsCsv: (projectId, importId) => imports.rejectionsCsv(projectId, importId),
  };
}
