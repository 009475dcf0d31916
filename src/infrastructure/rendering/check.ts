import type { Liquid, Template } from 'liquidjs';
import { type Content, type ContentProblem, headerFaults, type PlanContext } from '../../domain/campaign/index.ts';
import { type Assembled, assemble } from './assemble.ts';
import { foreignTags } from './foreign-tags.ts';
import { isClean } from './headers.ts';
import { scanHtml } from './html-scan.ts';
import { inLayout, isDocument } from './layout.ts';
import { findLinkFaults } from './links.ts';
import { reasonOf, type SourceReader } from './liquid.ts';
import { findRegions, lineIndex, mask } from './liquid-regions.ts';
import { markdownToHtml } from './markdown.ts';
import { PART_LIMIT } from './message-sink.ts';
import { mjmlToHtml } from './mjml.ts';
import { unknownReason, usesOf } from './variables.ts';

/** Everything that is known about content before it is compiled; `assembled` is absent when an error stands in the way. */
export interface Examination {
  readonly problems: readonly ContentProblem[];
  /** The source as HTML, MJML turned into it; absent for kind `text` and where it cannot be had. */
  readonly html: string | undefined;
  readonly assembled: Assembled | undefined;
}

/** Gmail cuts a message whose HTML is longer. */
const CLIP_LIMIT = 102 * 1024;

/** Examines content part by part, then brings the parts together. Never throws for bad content. */
export async function examine(
  reader: SourceReader,
  engine: Liquid,
  content: Content,
  context: PlanContext,
): Promise<Examination> {
  const problems: ContentProblem[] = [...headerProblems(content)];
  const failed = (): boolean => problems.some((problem) => problem.severity === 'error');
  const none = (): Examination => ({ problems, html: undefined, assembled: undefined });

  if (content.subject.trim() === '') problems.push(error('subject.empty', 'subject', 'The subject is empty.'));
  if (content.source.trim() === '') problems.push(error('source.empty', 'source', 'There is no content.'));
  if (context.stream === 'marketing' && context.project.postalAddress.trim() === '') {
    const message =
      'The project has no postal address, and marketing mail must show one (CAN-SPAM). Set it: pennypost project update --postal-address "...".';
    problems.push({ severity: 'error', code: 'footer.no_postal_address', part: 'source', line: undefined, message });
  }
  for (const [part, text] of writtenParts(content)) {
    problems.push(
      ...liquidProblems(reader, part, text, content, context),
      ...foreignTags(part, text, withoutLiquid(engine, text)),
    );
  }
  if (failed()) return none();

  let html: string | undefined;
  if (content.kind === 'markdown') {
    const made = await markdownToHtml(engine, content.source);
    if (made === undefined)
      problems.push(error('html.invalid', 'source', 'Lists or quotes of the Markdown are nested too deeply.'));
    else problems.push(...inSource(content.source, markupProblems(engine, made)));
    html = made;
  } else if (content.kind !== 'text') {
    problems.push(...markupProblems(engine, content.source));
  }
  if (failed()) return none();

  if (content.kind === 'mjml') {
    const converted = await mjmlToHtml(engine, content.source);
    problems.push(...converted.problems);
    html = converted.html;
    if (html !== undefined && html.length > PART_LIMIT) {
      problems.push(
        error('source.too_long', 'source', `The MJML becomes ${html.length} characters of HTML; ${PART_LIMIT} is the limit.`),
      );
    }
    if (html === undefined || failed()) return none();
    // MJML puts some targets together itself; what it makes has no lines of the author's.
    for (const { line: _, ...fault } of findLinkFaults(engine, html))
      if (fault.severity === 'error') problems.push({ ...fault, part: 'source' });
    if (failed()) return none();
  } else if (content.kind === 'html') {
    html = content.source;
  }
  if (html !== undefined && content.layout === 'default' && !isDocument(html)) html = inLayout(html);

  try {
    const assembled = await assemble(engine, content, html, context);
    problems.push(...assembled.problems, ...sizeProblems(assembled));
    const size = Buffer.byteLength(assembled.html ?? '');
    if (size > CLIP_LIMIT) {
      const message = `The HTML has ${Math.ceil(size / 1024)} kB; Gmail clips messages at 102 kB, including the unsubscribe link at the end.`;
      problems.push({ severity: 'warning', code: 'html.clipped', part: 'source', line: undefined, message });
    }
    return failed() ? none() : { problems, html, assembled };
  } catch (thrown) {
    // The parts were read before; what fails now is Liquid that MJML moved to where it makes no sense.
    problems.push(error('template.syntax', 'source', `MJML or Markdown changes the Liquid at this place: ${reasonOf(thrown)}`));
    return none();
  }
}

/** liquidjs' parser takes the square of them; a long newsletter has 200. */
const LINK_LIMIT = 5_000;

/** Parts that are short enough as written, but too long with links and footer added. */
function* sizeProblems({ html, text, slots }: Assembled): Generator<ContentProblem> {
  if (slots.length > LINK_LIMIT)
    yield error('source.too_long', 'source', `There are ${slots.length} links; ${LINK_LIMIT} is the limit.`);
  for (const [name, made] of [['HTML', html ?? ''] as const, ['text part', text] as const]) {
    if (made.length <= PART_LIMIT) continue;
    const message = `With its links the ${name} has ${made.length} characters; ${PART_LIMIT} is the limit.`;
    yield error('source.too_long', 'source', message);
  }
}

/** Problems of HTML that was made from Markdown: their lines are not those that the author sees. */
function* inSource(source: string, problems: Iterable<ContentProblem>): Generator<ContentProblem> {
  const lineOf = lineIndex(source);
  for (const problem of problems) {
    const target = /"([^"]+)"|(<\w+)/.exec(problem.message);
    const position = target === null ? -1 : source.indexOf(target[1] ?? target[2] ?? '');
    yield { ...problem, line: position === -1 ? undefined : lineOf(position) };
  }
}

/** The text itself where its Liquid is broken, which is reported besides. */
function withoutLiquid(engine: Liquid, text: string): string {
  try {
    return mask(text, findRegions(engine, text));
  } catch {
    return text;
  }
}

/** The parts in Liquid, as written. */
function writtenParts(content: Content): [ContentProblem['part'], string][] {
  const parts: [ContentProblem['part'], string | undefined][] = [
    ['subject', content.subject],
    ['preheader', content.kind === 'text' ? undefined : content.preheader],
    ['source', content.source],
    ['text', content.kind === 'text' ? undefined : content.text],
  ];
  return parts.flatMap(([part, text]) => (text === undefined || text === '' ? [] : [[part, text]]));
}

function error(code: string, part: ContentProblem['part'], message: string, line?: number): ContentProblem {
  return { severity: 'error', code, part, line, message };
}

function liquidProblems(
  reader: SourceReader,
  part: ContentProblem['part'],
  text: string,
  content: Content,
  context: PlanContext,
): ContentProblem[] {
  // MJML grows by three times and more when it becomes HTML.
  const limit = part === 'source' && content.kind === 'mjml' ? PART_LIMIT / 2 : PART_LIMIT;
  if (text.length > limit)
    return [error('source.too_long', part, `This part has ${text.length} characters; ${limit} is the limit.`)];
  const parsed = reader.parse(text);
  if (parsed.problems.length > 0) {
    return parsed.problems.map((problem) => error('template.syntax', part, `Liquid: ${problem.message}.`, problem.line));
  }
  return variableProblems(parsed.templates, part, content, context);
}

function variableProblems(
  templates: readonly Template[],
  part: ContentProblem['part'],
  content: Content,
  context: PlanContext,
): ContentProblem[] {
  const found = usesOf(templates);
  const problems = new Map<string, ContentProblem>();
  // A variable that is printed anywhere without a guard is an error there; one that is only asked for is worth a word.
  const order = [...found.uses].sort((one, other) => Number(one.use !== 'printed') - Number(other.use !== 'printed'));
  for (const use of order) {
    const name = use.path.join('.');
    if (problems.has(name) || use.use === 'guarded' || found.locals.has(use.path[0] ?? '')) continue;
    const reason = unknownReason(use.path, content, context);
    if (reason === undefined) continue;
    problems.set(name, {
      severity: use.use === 'printed' && context.missingVariables !== 'empty' ? 'error' : 'warning',
      code: 'template.unknown_variable',
      part,
      line: use.line,
      message:
        use.use === 'printed'
          ? `Unknown variable ${name}. ${reason}`
          : `A condition asks for ${name}, which has no default: it counts as false where it is missing.`,
    });
  }
  const raw = found.rawOutputs.map((line) => ({
    severity: 'warning' as const,
    code: 'template.raw_output',
    part,
    line,
    message:
      'The filter "raw" prints a value as markup. Use it only for values that you write yourself, never for input of subscribers.',
  }));
  return [...problems.values(), ...(part === 'source' && content.kind !== 'text' ? raw : [])];
}

/** Far more than any mail; readers of HTML work by recursion. */
const DEPTH_LIMIT = 500;

/** Elements without a closing tag, or whose closing tag may be left out. */
const UNNESTED = new Set(
  'area base br col embed hr img input link meta source track wbr p li dt dd tr td th tbody thead tfoot colgroup option'.split(
    ' ',
  ),
);

const ACTIVE = new Set(['script', 'iframe', 'object', 'embed', 'applet']);

function* markupProblems(engine: Liquid, source: string): Generator<ContentProblem> {
  for (const fault of findLinkFaults(engine, source)) yield { ...fault, part: 'source' };
  const lineOf = lineIndex(source);
  const masked = mask(source, findRegions(engine, source));
  const { tags, unfinished } = scanHtml(masked);
  if (unfinished !== undefined) {
    const message = 'A tag or comment begins here and never ends, and readers do not see what follows. Close it.';
    yield { severity: 'warning', code: 'html.unfinished', part: 'source', line: lineOf(unfinished), message };
  }
  let depth = 0;
  for (const tag of tags) {
    if (!tag.selfClosing && !UNNESTED.has(tag.name)) depth += tag.closing ? -1 : 1;
    if (depth > DEPTH_LIMIT) {
      yield error(
        'html.invalid',
        'source',
        `More than ${DEPTH_LIMIT} elements are open at once; some are not closed.`,
        lineOf(tag.begin),
      );
      return;
    }
    if (tag.closing) continue;
    const line = lineOf(tag.begin);
    if (tag.name === 'form') {
      const message = 'Many mail programs remove <form>; link to a page instead.';
      yield { severity: 'warning', code: 'html.form', part: 'source', line, message };
    }
    // Mail programs read JSON-LD for actions and offers; nothing in it runs.
    const type = tag.attributes.find((attribute) => attribute.name === 'type')?.value;
    const harmless = tag.name === 'script' && type?.trim().toLowerCase() === 'application/ld+json';
    if (ACTIVE.has(tag.name) && !harmless) {
      yield error(
        'html.unsafe',
        'source',
        `<${tag.name}> is not allowed: mail programs remove it, and spam filters distrust it. Remove it.`,
        line,
      );
    }
  }
}

const LIQUID = /\{\{|\{%/;

const liquidInHeader = (what: string): ContentProblem =>
  error(
    'header.liquid',
    'headers',
    `${what} contains Liquid, which is not evaluated there. Use Liquid in subject, preheader, source and text only.`,
  );

function* headerProblems(content: Content): Generator<ContentProblem> {
  for (const [, fault] of headerFaults(content.headers)) yield error(fault.code, 'headers', fault.message);
  for (const [name, value] of Object.entries(content.headers))
    if (LIQUID.test(value)) yield liquidInHeader(`The value of the header ${JSON.stringify(name.slice(0, 60))}`);
  for (const [field, mailbox] of [['author', content.author] as const, ['reply-to', content.replyTo] as const]) {
    if (mailbox === undefined) continue;
    if (!/^[\x21-\x7e]+@[\x21-\x7e]+$/.test(mailbox.address) || /[<>,;]/.test(mailbox.address) || mailbox.address.length > 320) {
      yield error(
        'header.invalid',
        'headers',
        `The ${field} address ${JSON.stringify(mailbox.address.slice(0, 80))} is not a plain ASCII address.`,
      );
    }
    if (mailbox.name !== undefined && (!isClean(mailbox.name) || mailbox.name.length > 320)) {
      yield error(
        'header.injection',
        'headers',
        `The ${field} name holds a line break or control character, or is longer than 320 characters.`,
      );
    }
    if (LIQUID.test(mailbox.name ?? '')) yield liquidInHeader(`The ${field} name`);
    if (LIQUID.test(mailbox.address)) yield liquidInHeader(`The ${field} address`);
  }
}
