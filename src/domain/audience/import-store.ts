import type { Id } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { Import, Rejection } from './import.ts';

/** Imports of one project and the rows that they rejected. */
export interface ImportStore {
  add(imported: Import): Promise<void>;
  find(projectId: Id, id: Id): Promise<Import | undefined>;
  /** Newest first. */
  page(projectId: Id, page: PageRequest): Promise<Page<Import>>;
  /** By line. */
  rejections(projectId: Id, importId: Id, page: PageRequest): Promise<Page<Rejection>>;
  /** Empties every rejected row of the project that holds this address; returns how many. */
  stripRejections(projectId: Id, emailKey: string): Promise<number>;
  /** False when it had ended already. */
  fail(projectId: Id, id: Id, failure: string, at: Date): Promise<boolean>;
  /** Fails the running imports, begun before `before`, whose process is gone; returns how many. */
  failAbandoned(projectId: Id, before: Date, failure: string, at: Date): Promise<number>;
}
