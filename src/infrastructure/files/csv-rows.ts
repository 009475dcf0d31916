import { type CsvError, type Parser, parse } from 'csv-parse';
import type { FileRow } from '../../application/audience/subscriber-files.ts';
import { type FileHeader, ImportUnreadable, isBlank } from '../../domain/audience/index.ts';
import { cleanUp } from '../../domain/shared/clean-up.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import type { TextSource } from './text-source.ts';

/** A row longer than this is a quotation mark that is never closed, or no CSV. */
const ROW_OCTETS = 1024 * 1024;
const COLUMNS = 5_000;
/** Given to the column plan, with the header. */
const SAMPLE_ROWS = 50;
const DELIMITERS = [',', ';', '\t', '|'];

/**
 * Rows of RFC 4180 with the delimiter at hand and any line end. A quotation mark inside an unquoted cell is text, as people
 * write it (`Peter "Pete" Miller`).
 */
export class CsvRows {
  readonly header: FileHeader;
  private readonly first: readonly FileRow[];
  private readonly pieces: AsyncGenerator<Buffer>;
  private readonly parsing: Parsing;

  private constructor(header: FileHeader, first: readonly FileRow[], pieces: AsyncGenerator<Buffer>, parsing: Parsing) {
    this.header = header;
    this.first = first;
    this.pieces = pieces;
    this.parsing = parsing;
  }

  /** Reads as far as the header. @throws ImportUnreadable, InvalidInput for an impossible delimiter */
  static async open(source: TextSource, delimiter: string | undefined): Promise<CsvRows> {
    const parsing = new Parsing(delimiter === undefined ? recogniseDelimiter(source.head) : stated(delimiter, source.head));
    const pieces = source[Symbol.asyncIterator]();
    try {
      for (let ended = false; !ended; ) {
        const rows = await parsing.next(pieces);
        ended = rows === undefined;
        const header = rows?.[0];
        if (rows === undefined || header === undefined) continue;
        if (header.cells.length > COLUMNS) {
          throw new ImportUnreadable(
            `The header has ${header.cells.length.toLocaleString('en')} columns; ${COLUMNS.toLocaleString('en')} can be read. Leave out those that are not needed.`,
          );
        }
        const behind = rows.slice(1);
        while (behind.length < SAMPLE_ROWS) {
          const more = await parsing.next(pieces);
          if (more === undefined) break;
          behind.push(...more);
        }
        const sample = behind.slice(0, SAMPLE_ROWS).map(({ cells }) => cells);
        return new CsvRows({ ...header, sample }, behind, pieces, parsing);
      }
      throw new ImportUnreadable('The file has no header row. Its first line must name the columns, such as email,first_name.');
    } catch (error) {
      return cleanUp(error, () => pieces.return(undefined));
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly FileRow[]> {
    try {
      if (this.first.length > 0) yield this.first;
      for (;;) {
        const rows = await this.parsing.next(this.pieces);
        if (rows === undefined) return;
        if (rows.length > 0) yield rows;
      }
    } finally {
      await this.pieces.return(undefined);
    }
  }
}

interface CellRow {
  readonly line: number;
  readonly cells: readonly string[];
}

/** csv-parse, which gives a row at a time, turned into batches: whatever one piece of the file completes. */
class Parsing {
  private readonly parser: Parser;
  private rows: CellRow[] = [];
  /** Line after the last row, and how many empty lines were seen up to there. */
  private line = 1;
  private emptyLines = 0;
  private failure: Error | undefined;
  /** Of the line that has not ended yet. */
  private lineOctets = 0;

  constructor(delimiter: Delimiter) {
    this.line += delimiter.skippedLines;
    this.parser = parse({
      delimiter: delimiter.character,
      from_line: delimiter.skippedLines + 1,
      record_delimiter: ['\r\n', '\n', '\r'],
      relax_column_count: true,
      relax_quotes: true,
      // `a, "b, c"`: a quotation mark behind a blank opens a cell.
      ltrim: true,
      skip_empty_lines: true,
      max_record_size: ROW_OCTETS,
      // Rows are taken here, because through the stream's own queue each would cost a turn of the event loop.
      on_record: (record: string[], { lines, empty_lines }) => {
        this.take(record, lines, empty_lines);
        return null;
      },
    });
    this.parser.on('error', (error) => {
      this.failure ??= error;
    });
    this.parser.resume();
  }

  /** Rows that the next piece completes, possibly none; undefined behind the end. @throws ImportUnreadable */
  async next(pieces: AsyncIterator<Buffer>): Promise<readonly CellRow[] | undefined> {
    if (this.parser.writableEnded) return undefined;
    const { value, done } = await pieces.next();
    await new Promise<void>((resolve) => {
      const settled = (error?: Error | null): void => {
        if (error) this.failure ??= error;
        resolve();
      };
      if (done === true) this.parser.end(settled);
      else this.parser.write(value, settled);
    });
    if (done !== true) this.measure(value);
    if (this.failure !== undefined) throw this.unreadable(this.failure);
    const { rows } = this;
    this.rows = [];
    return rows;
  }

  /** The parser counts the characters of cells, and a row of nothing but delimiters has none. */
  private measure(piece: Buffer): void {
    const end = Math.max(piece.lastIndexOf(0x0a), piece.lastIndexOf(0x0d));
    this.lineOctets = end < 0 ? this.lineOctets + piece.length : piece.length - end - 1;
    if (this.lineOctets > ROW_OCTETS) this.failure ??= new ImportUnreadable(this.tooLong());
  }

  /** Nothing after such a row can be read, because the start of the next one is unknown. */
  private tooLong(): string {
    return `The row that begins on line ${this.line} (or on an empty line behind it) has more than 1 MB. Close its quotation mark if one is open; otherwise shorten or remove the row.`;
  }

  private take(cells: readonly string[], lastLine: number, emptyLines: number): void {
    const line = this.line + emptyLines - this.emptyLines;
    this.emptyLines = emptyLines;
    // The parser counts the two characters of a line end inside quotes as two lines, so a row of several is counted here.
    this.line = line + 1;
    if (lastLine > line) for (const cell of cells) this.line += cell.match(/\r\n|\n|\r/g)?.length ?? 0;
    // Spreadsheets fill up with rows of delimiters.
    if (!cells.every(isBlank)) this.rows.push({ line, cells });
  }

  private unreadable(error: Error): Error {
    const code = 'code' in error ? (error as CsvError).code : undefined;
    if (code === 'CSV_QUOTE_NOT_CLOSED' || code === 'CSV_MAX_RECORD_SIZE') {
      return new ImportUnreadable(
        code === 'CSV_QUOTE_NOT_CLOSED'
          ? `The row that begins on line ${this.line} (or on an empty line behind it) opens a quotation mark that is never closed. Close or remove it.`
          : this.tooLong(),
      );
    }
    return error.name === 'CsvError' || code !== undefined ? new ImportUnreadable(`Line ${this.line}: ${error.message}`) : error;
  }
}

interface Delimiter {
  readonly character: string;
  readonly skippedLines: number;
}

/**
 * Excel's own first line, `sep=;`, also as it looks once it was saved again: `"sep=;"`, `sep=,,,`. What it was filled up with
 * is then the delimiter.
 */
function announced(text: string): string | undefined {
  const found = /^"?sep=(\\t|[^"\r\n\p{L}\p{N}])"?([,;\t|]*)[ ]*(?:\r\n|\n|\r|$)/iu.exec(text);
  if (found === null) return undefined;
  return found[2]?.[0] ?? (found[1] === '\\t' ? '\t' : found[1]);
}

/** The candidate that the header has most of, outside quotes; comma where it has none. */
function recogniseDelimiter(head: Buffer): Delimiter {
  const text = head.toString('utf8');
  const told = announced(text);
  if (told !== undefined) return { character: told, skippedLines: 1 };
  const counts = new Map(DELIMITERS.map((character) => [character, 0]));
  let quoted = false;
  let content = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    else if (!quoted && (character === '\n' || character === '\r')) {
      if (content) break;
    } else if (!quoted && counts.has(character)) counts.set(character, counts.get(character)! + 1);
    content ||= character.trim() !== '' && !counts.has(character);
  }
  const [character] = [...counts].reduce((best, next) => (next[1] > best[1] ? next : best));
  return { character, skippedLines: 0 };
}

function stated(delimiter: string, head: Buffer): Delimiter {
  const character = delimiter === 'tab' || delimiter === '\\t' ? '\t' : delimiter;
  if ([...character].length !== 1 || /["\r\n\0]/.test(character)) {
    throw new InvalidInput('A delimiter is one character such as "," or ";", or the word tab.', '/delimiter');
  }
  return { character, skippedLines: announced(head.toString('utf8', 0, 100)) === undefined ? 0 : 1 };
}
