/**
 * Loads imports: COPY writes rows in batches to temporary tables of one connection, and set-based statements merge them at the
 * end. No transaction is open while the file arrives, so a slow upload does not delay vacuum.
 */
import { finished } from 'node:stream/promises';
import type { MikroORM } from '@mikro-orm/postgresql';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import {
  type FileFindings,
  type Import,
  type ImportLoad,
  type ImportLoader,
  ImportsBusy,
  type ImportTotals,
  KEPT_REJECTIONS,
  type StagedRejection,
  type StagedRow,
} from '../../domain/audience/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { mergeImport } from './audience-import-merge.ts';
import { IMPORT_LOCK } from './audience-imports.ts';
import { withClient } from './session.ts';

/** Most imports at once. The pool has ten connections; the others stay free for requests. */
const AT_ONCE = 6;
/** With this many imports running, a project that already runs one is refused. The last two slots are for other projects. */
const AT_ONCE_OF_ONE = 4;

const STAGING = `
  create temporary table pennypost_import_row (
    line int, subscriber_id uuid, consent_id uuid, address text, email_key text collate "C", mark text collate "C",
    older_marks text[] collate "C", locale text, time_zone text, attributes jsonb, departure text);
  create temporary table pennypost_import_rejected (line int primary key, reason text, cells jsonb);
  create temporary table pennypost_import_rejected_address (
    line int, email_key text collate "C", mark text collate "C", older_marks text[] collate "C");
  create index on pennypost_import_rejected_address (line)`;

export class PostgresImportLoader implements ImportLoader {
  private readonly orm: MikroORM;
  private readonly running: Id[] = [];

  constructor(orm: MikroORM) {
    this.orm = orm;
  }

  async run<T>(imported: Import, work: (load: ImportLoad) => Promise<T>): Promise<T> {
    this.requireSlot(imported.projectId);
    this.running.push(imported.projectId);
    try {
      return await withClient(this.orm, async (client) => {
        await client.query('select pg_advisory_lock($1, hashtext($2))', [IMPORT_LOCK, imported.id]);
        await client.query(STAGING);
        const load = new Load(client, imported);
        const result = await work(load);
        await load.arrived();
        await client.query('drop table pennypost_import_row, pennypost_import_rejected, pennypost_import_rejected_address');
        await client.query('select pg_advisory_unlock($1, hashtext($2))', [IMPORT_LOCK, imported.id]);
        return result;
      });
    } finally {
      this.running.splice(this.running.indexOf(imported.projectId), 1);
    }
  }

  /** Keeps slots free for other projects while one project runs slow uploads. @throws ImportsBusy */
  private requireSlot(projectId: Id): void {
    const own = this.running.filter((id) => id === projectId).length;
    if (own > 0 && this.running.length >= AT_ONCE_OF_ONE) throw new ImportsBusy(own, 'project');
    if (this.running.length >= AT_ONCE) throw new ImportsBusy(AT_ONCE, 'process');
  }
}

class Load implements ImportLoad {
  private readonly client: pg.PoolClient;
  private readonly imported: Import;
  private rejected = 0;
  /** Settles when the last COPY ends. Never rejects, because nothing awaits it while the next rows are read. */
  private copying: Promise<{ readonly failure?: unknown }> = Promise.resolve({});

  constructor(client: pg.PoolClient, imported: Import) {
    this.client = client;
    this.imported = imported;
  }

  /** Returns before the rows are written, so that the file is read meanwhile. One COPY runs at a time. */
  async add(rows: readonly StagedRow[], rejections: readonly StagedRejection[]): Promise<void> {
    await this.arrived();
    const kept = rejections.slice(0, Math.max(0, KEPT_REJECTIONS - this.rejected));
    this.rejected += rejections.length;
    this.copying = this.copy(rows, kept).then(
      () => ({}),
      (failure: unknown) => ({ failure }),
    );
  }

  async finish(findings: FileFindings, now: Date): Promise<ImportTotals> {
    await this.arrived();
    return mergeImport(this.client, this.imported, { findings, rejected: this.rejected, now });
  }

  /** Waits for the last COPY. @throws the error of that COPY */
  async arrived(): Promise<void> {
    const { failure } = await this.copying;
    if (failure !== undefined) throw failure;
  }

  private async copy(rows: readonly StagedRow[], rejections: readonly StagedRejection[]): Promise<void> {
    if (rows.length > 0) {
      const lines = rows.map((row) =>
        copyLine(
          String(row.line),
          row.subscriberId,
          row.consentId,
          row.address,
          row.emailKey,
          row.mark,
          arrayOf(row.olderMarks),
          row.locale,
          row.timeZone,
          row.attributes,
          row.departure,
        ),
      );
      await this.copyText('pennypost_import_row', lines.join(''));
    }
    if (rejections.length > 0) {
      const lines = rejections.map((row) => copyLine(String(row.line), row.reason, JSON.stringify(row.cells)));
      await this.copyText('pennypost_import_rejected', lines.join(''));
      const addresses = rejections.flatMap((row) =>
        row.addresses.map(({ emailKey, mark, olderMarks }) => copyLine(String(row.line), emailKey, mark, arrayOf(olderMarks))),
      );
      if (addresses.length > 0) await this.copyText('pennypost_import_rejected_address', addresses.join(''));
    }
  }

  private async copyText(table: string, text: string): Promise<void> {
    const stream = this.client.query(copyFrom(`copy ${table} from stdin`));
    stream.end(text);
    await finished(stream);
  }
}

/** Marks consist of hexadecimal digits, a word and a colon, so array text needs no escapes. */
const arrayOf = (marks: readonly string[]): string | null => (marks.length === 0 ? null : `{${marks.join()}}`);

/** One line of COPY's text format: tabs between values, `\N` for null, backslash and line breaks escaped. */
function copyLine(...values: readonly (string | null)[]): string {
  return `${values.map((value) => (value === null ? '\\N' : /[\\\n\r\t]/.test(value) ? value.replace(/[\\\n\r\t]/g, escaped) : value)).join('\t')}\n`;
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const escaped = (character: string): string => ESCAPES[character]!;
