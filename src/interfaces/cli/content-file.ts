/**
 * A message as a file: YAML front matter between two lines of `---`, then MJML, HTML, Markdown or plain text.
 *
 *     ---
 *     name: November letter
 *     subject: "{{ first_name }}, new on our shelves"
 *     author: Harbour Books <hello@news.harbour.example>
 *     lists: [harbour-letter]
 *     defaults: { first_name: reader }
 *     ---
 *     <mjml> ...
 *
 * The rest of the file is taken as it is, Liquid included. Every fault names the line of the file.
 */
import { extname } from 'node:path';
import { z } from 'zod';
import {
  type ContentInput,
  ContentInvalid,
  type ContentProblem,
  type Moment,
  mailboxParts,
} from '../../application/application.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { moment } from './cli.ts';
import { type Fault, readFrontMatter } from './front-matter.ts';

export class ContentFileInvalid extends DomainError {
  readonly code = 'content.file_invalid';
  readonly kind = 'invalid';
  constructor(place: string, line: number, message: string) {
    super(`${place}, line ${line}: ${message}`);
  }
}

export interface ContentFile {
  readonly content: ContentInput;
  readonly name: string | undefined;
  /** Ids or slugs, as written. */
  readonly lists: readonly string[];
  readonly excludeLists: readonly string[];
  readonly schedule: Moment | undefined;
  readonly trackOpens: boolean | undefined;
  readonly trackClicks: boolean | undefined;
  /** Lines of the file before the source: line 1 of the source is line `offset + 1` of the file. */
  readonly offset: number;
}

const text = z.string({ error: 'a text is expected; put it in quotation marks' });
const oneOrMore = z.union([text.transform((one) => [one]), z.array(text)], { error: 'a list of ids or slugs is expected' });
const mailbox = z.union([text, z.strictObject({ name: text.optional(), address: text })], {
  error: 'an address is expected: "Harbour Books <hello@news.harbour.example>"',
});
const yesOrNo = z.union([z.boolean(), z.stringbool({ truthy: ['yes', 'on', 'true'], falsy: ['no', 'off', 'false'] })], {
  error: 'true or false is expected',
});
const frontMatter = z.strictObject({
  kind: z.enum(['mjml', 'html', 'markdown', 'text'], { error: 'one of mjml, html, markdown and text is expected' }).optional(),
  name: text.optional(),
  subject: text,
  preheader: text.optional(),
  author: mailbox,
  reply_to: mailbox.optional(),
  text: text.optional(),
  lists: oneOrMore.optional(),
  exclude_lists: oneOrMore.optional(),
  schedule: text.optional(),
  defaults: z.record(z.string(), z.unknown(), { error: 'names and values are expected' }).optional(),
  headers: z.record(z.string(), text, { error: 'header names and texts are expected' }).optional(),
  footer: z.enum(['project', 'none'], { error: 'one of project and none is expected' }).optional(),
  layout: z.enum(['default', 'none'], { error: 'one of default and none is expected' }).optional(),
  track_opens: yesOrNo.optional(),
  track_clicks: yesOrNo.optional(),
});
const KEYS = Object.keys(frontMatter.shape);

/**
 * @param path names the file in errors; its ending tells MJML, HTML and text apart unless `kind:` does
 * @throws ContentFileInvalid with the line
 */
export function parseContentFile(path: string, written: string): ContentFile {
  const lines = written.replace(/^\ufeff/, '').split(/\r\n?|\n/);
  const fault = (line: number, message: string) => new ContentFileInvalid(path, line, message);
  if (lines[0]?.trim() !== '---') {
    throw fault(1, 'the file must begin with "---", then subject and author, then "---" and the content.');
  }
  const end = lines.findIndex((line, index) => index > 0 && line.trimEnd() === '---');
  if (end < 0) throw fault(1, 'the front matter does not end: add a second line of "---" after it.');
  const front = readFront(lines.slice(1, end).join('\n'), fault);
  const source = lines.slice(end + 1).join('\n');
  if (source.trim() === '') throw fault(end + 1, 'no content follows the front matter. Write it after the second line of "---".');
  const { values } = front;
  return {
    content: {
      kind: values.kind ?? kindOf(path, source),
      source,
      text: values.text,
      subject: values.subject,
      preheader: values.preheader,
      author: mailboxOf(values.author),
      replyTo: values.reply_to === undefined ? undefined : mailboxOf(values.reply_to),
      headers: values.headers,
      defaults: values.defaults,
      footer: values.footer,
      layout: values.layout,
    },
    name: values.name,
    lists: values.lists ?? [],
    excludeLists: values.exclude_lists ?? [],
    schedule:
      values.schedule === undefined
        ? undefined
        : at(front.lineOf('schedule'), () => moment(values.schedule ?? '', 'schedule'), fault),
    trackOpens: values.track_opens,
    trackClicks: values.track_clicks,
    offset: end + 1,
  };
}

function readFront(yaml: string, fault: Fault) {
  const front = readFrontMatter(yaml, fault);
  const parsed = frontMatter.safeParse(front.values);
  const { lineOf } = front;
  if (parsed.success) return { values: parsed.data, lineOf };
  // `Subject:` explains why "subject" is missing.
  const { issues } = parsed.error;
  const issue = issues.find(({ code, path }) => code === 'unrecognized_keys' && path.length === 0) ?? issues[0]!;
  if (issue.code === 'unrecognized_keys' && issue.path.length === 0) {
    const key = issue.keys[0] ?? '';
    throw fault(lineOf(key), `"${key}" is not a field of the front matter. Fields: ${KEYS.join(', ')}.`);
  }
  const name = issue.path.map(String).join('.');
  if (issue.code === 'invalid_type' && !front.has(issue.path[0])) throw fault(1, `"${name}" is missing.`);
  throw fault(lineOf(issue.path[0]), `"${name}": ${issue.message}.`);
}

function at<T>(line: number, read: () => T, fault: Fault): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof DomainError ? fault(line, error.message) : error;
  }
}

/** Marks of Markdown at the beginning of a line, and links. */
const MARKDOWN = /^(?:#{1,6} |[-*+] |\d+[.)] |> |```)|\*\*\S|\]\([^)\s]/m;

/** What follows in a file that does not say it: `.md` and `.txt` may hold any kind. */
function kindOf(path: string, source: string): ContentInput['kind'] {
  const extension = extname(path).toLowerCase();
  if (extension === '.mjml') return 'mjml';
  if (extension === '.html' || extension === '.htm') return 'html';
  const begin = source.trimStart();
  if (/^<mjml[\s>]/i.test(begin)) return 'mjml';
  const markdown = extension === '.md' || extension === '.markdown';
  const html = /^<(!doctype|!--|[a-z])/i.test(begin);
  if (markdown && !(html && (/^<(!doctype|html)/i.test(begin) || !MARKDOWN.test(source)))) return 'markdown';
  return html ? 'html' : 'text';
}

/** `Name <address>` or an address; what is in it is checked where content is parsed. */
export function mailboxOf(
  written: string | { readonly name?: string | undefined; readonly address: string },
): ContentInput['author'] {
  if (typeof written !== 'string') return written;
  return mailboxParts(written);
}

/** The same fault by the line of the file, which begins with the front matter. */
export const inFile =
  (offset: number) =>
  (problem: ContentProblem): ContentProblem =>
    problem.part === 'source' && problem.line !== undefined ? { ...problem, line: problem.line + offset } : problem;

/** Faults of content are told by the lines of the file. */
export async function byLines<T>(offset: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof ContentInvalid ? new ContentInvalid(error.problems.map(inFile(offset))) : error;
  }
}
