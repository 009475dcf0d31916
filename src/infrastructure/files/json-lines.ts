import type { FileRow } from '../../application/audience/subscriber-files.ts';
import { ImportUnreadable } from '../../domain/audience/index.ts';
import type { TextSource } from './text-source.ts';

/** A longer line cannot be imported. */
const LINE_OCTETS = 1024 * 1024;
/** Of what is rejected for its length. */
const SHOWN_OCTETS = 500;
/** From here on the end is not awaited any more. */
const GIVEN_UP_OCTETS = 16 * LINE_OCTETS;
const LINE_FEED = 0x0a;

/** JSON Lines (jsonlines.org): one object a line, empty lines skipped. @throws ImportUnreadable for a line without end */
export async function* jsonLines(source: TextSource): AsyncGenerator<readonly FileRow[]> {
  let line = 0;
  let begun: Buffer[] = [];
  let length = 0;
  const finish = (rows: FileRow[], piece: Buffer): void => {
    line += 1;
    if (length + piece.length > LINE_OCTETS) {
      const text = Buffer.concat([...begun, piece]).toString('utf8', 0, SHOWN_OCTETS);
      rows.push({ line, text, problem: 'The line has more than 1 MB. JSON Lines has one subscriber per line.' });
      begun = [];
      length = 0;
      return;
    }
    const text = (begun.length === 0 ? piece : Buffer.concat([...begun, piece])).toString('utf8').trim();
    begun = [];
    length = 0;
    if (text !== '') rows.push(readLine(line, text));
  };
  for await (const piece of source) {
    const rows: FileRow[] = [];
    let from = 0;
    for (let end = piece.indexOf(LINE_FEED); end >= 0; end = piece.indexOf(LINE_FEED, from)) {
      finish(rows, piece.subarray(from, end));
      from = end + 1;
    }
    // What will be rejected anyway is not kept.
    if (from < piece.length && length <= LINE_OCTETS) begun.push(Buffer.from(piece.subarray(from)));
    length += piece.length - from;
    if (length > GIVEN_UP_OCTETS)
      throw new ImportUnreadable(`Line ${line + 1} has more than 16 MB. JSON Lines has one subscriber per line.`);
    if (rows.length > 0) yield rows;
  }
  const rows: FileRow[] = [];
  finish(rows, Buffer.alloc(0));
  if (rows.length > 0) yield rows;
}

function readLine(line: number, text: string): FileRow {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { line, text, problem: `This is not valid JSON: ${error.message.slice(0, 200)}` };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { line, text, problem: 'A line must hold one JSON object such as {"email": "ada@example.com"}.' };
  }
  return { line, text, record: value as Readonly<Record<string, unknown>> };
}
