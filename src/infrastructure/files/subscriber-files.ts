import type { FileOptions, SubscriberFile, SubscriberFiles } from '../../application/audience/subscriber-files.ts';
import { ImportUnreadable } from '../../domain/audience/index.ts';
import { CsvRows } from './csv-rows.ts';
import { jsonLines } from './json-lines.ts';
import { TextSource } from './text-source.ts';

/** CSV and JSON Lines from a stream of bytes. Memory is that of some pieces of 256 kB, however long the file or its rows. */
export class StreamedSubscriberFiles implements SubscriberFiles {
  async open(source: AsyncIterable<Uint8Array>, options: FileOptions): Promise<SubscriberFile> {
    const text = await TextSource.open(source, options.encoding);
    const ends = { bytesRead: () => text.bytesRead, encoding: () => text.decoded, close: () => text.close() };
    const begin = text.head.toString('utf8', 0, 1_024).trimStart()[0];
    const format = options.format ?? (begin === '{' ? 'jsonl' : 'csv');
    if (begin === '[') {
      await text.close();
      throw new ImportUnreadable(
        'The file is a JSON array. Write JSON Lines instead: one object per line, without brackets around them.',
      );
    }
    if (format === 'jsonl') return { header: undefined, batches: jsonLines(text), ...ends };
    const rows = await CsvRows.open(text, options.delimiter);
    return { header: rows.header, batches: rows, ...ends };
  }
}
