import type { Liquid } from 'liquidjs';
import type { ContentProblem } from '../../domain/campaign/index.ts';
import { type ScannedTag, scanTags } from './html-scan.ts';
import { findRegions, type LiquidRegions, lineIndex, mask, protect } from './liquid-regions.ts';

/** The result of compiling an MJML source. `html` is undefined when there is an error. */
export interface MjmlResult {
  readonly html: string | undefined;
  readonly problems: readonly ContentProblem[];
}

/** No mail is nested this deep. mjml is recursive and overflows the stack near 1,000. */
const DEPTH_LIMIT = 100;
/** Each component becomes 300 characters of HTML or more, so no message needs this number. mjml takes 10 s for 18,000. */
const COMPONENT_LIMIT = 3_000;

/** Components whose body is text for mjml. Tags in it are HTML, and this module does not check that they are closed. */
const TEXT_BODIED = new Set([
  'mj-text',
  'mj-button',
  'mj-raw',
  'mj-table',
  'mj-style',
  'mj-title',
  'mj-preview',
  'mj-social-element',
  'mj-navbar-link',
  'mj-accordion-title',
  'mj-accordion-text',
  'mj-html-attribute',
]);

/**
 * Compiles MJML to HTML and keeps Liquid. mjml does not report unclosed tags and drops Liquid tags between components, so
 * this module reports both. Each piece of Liquid is replaced by a word before mjml runs and restored afterwards, so that mjml
 * never parses its quotes and angle brackets.
 */
export async function mjmlToHtml(engine: Liquid, source: string): Promise<MjmlResult> {
  const found = findRegions(engine, source);
  const problems = structureProblems(source, found);
  if (problems.length > 0) return { html: undefined, problems };
  const liquid = protect(source, found);
  const lineOf = lineIndex(source);
  const optOut = keepOptOut(liquid.text, liquid.stem);
  // Loaded on demand: mjml costs half a second and 60 MB, and processes that only send do not need it.
  const { default: mjml2html } = await import('mjml');
  let result: Awaited<ReturnType<typeof mjml2html>>;
  try {
    result = await mjml2html(optOut.text, { validationLevel: 'soft', ignoreIncludes: true, keepComments: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      html: undefined,
      problems: [problem('error', `MJML cannot be read: ${reason} It must begin with <mjml> and contain one <mj-body>.`)],
    };
  }
  for (const fault of result.errors) {
    // A value that contains Liquid cannot be validated before it is rendered.
    if (fault.message.includes(liquid.stem)) continue;
    const missing = /doesn't exist or is not registered/.test(fault.message);
    problems.push(
      problem(missing ? 'error' : 'warning', `<${fault.tagName}>: ${fault.message.trim()}.`, liquid.sourceLine(fault.line)),
    );
  }
  const html = optOut.restore(result.html);
  found.regions.forEach((region, index) => {
    const text = source.slice(region.begin, region.end);
    if (region.kind !== 'tag' || html.includes(liquid.word(index)) || isComment(text)) return;
    const advice = `MJML drops ${text.slice(0, 60)} here. Between components, wrap it: <mj-raw>${text.slice(0, 60)}</mj-raw>.`;
    problems.push(problem('error', advice, lineOf(region.begin), 'mjml.lost_liquid'));
  });
  return { html: problems.some((found) => found.severity === 'error') ? undefined : liquid.restore(tidy(html)), problems };
}

/** Removes blanks at line ends and empty lines, a fifth of mjml's output. They are invisible outside preformatted text. */
function tidy(html: string): string {
  if (/<pre\b|<textarea\b|white-space\s*:\s*pre/i.test(html)) return html;
  return html
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .join('\n');
}

const isComment = (liquid: string): boolean => /^\{%-?\s*(?:comment\b|#)/.test(liquid);

function problem(severity: ContentProblem['severity'], message: string, line?: number, code = 'mjml.invalid'): ContentProblem {
  return { severity, code, part: 'source', line, message };
}

/** Finds unclosed and misplaced components, includes, and nesting that is too deep. */
function structureProblems(source: string, found: LiquidRegions): ContentProblem[] {
  const problems: ContentProblem[] = [];
  const lineOf = lineIndex(source);
  const open: { readonly name: string; readonly line: number }[] = [];
  let components = 0;
  const report = (message: string, line: number, code?: string): void => {
    if (problems.length < 20) problems.push(problem('error', message, line, code));
  };
  for (const tag of scanTags(mask(source, found))) {
    if (tag.name !== 'mjml' && !tag.name.startsWith('mj-')) continue;
    const line = lineOf(tag.begin);
    components += tag.closing ? 0 : 1;
    if (components > COMPONENT_LIMIT) {
      report(`There are more than ${COMPONENT_LIMIT} MJML components; use a loop, or fewer.`, line, 'source.too_long');
      return problems;
    }
    const inside = open.at(-1);
    if (inside !== undefined && TEXT_BODIED.has(inside.name) && !(tag.closing && tag.name === inside.name)) {
      const nested = tag.closing ? `</${tag.name}>` : `<${tag.name}>`;
      report(`<${inside.name}> (line ${inside.line}) is not closed before ${nested}.`, inside.line);
      open.pop();
    }
    if (tag.name === 'mj-include') {
      report('<mj-include> is not available: content is a single source. Insert the included source.', line, 'mjml.include');
    } else if (!tag.closing) {
      if (!tag.selfClosing) open.push({ name: tag.name, line });
      if (open.length === DEPTH_LIMIT) report(`Components are nested more than ${DEPTH_LIMIT} deep.`, line);
    } else {
      const from = open.findLastIndex((candidate) => candidate.name === tag.name);
      if (from === -1) report(`</${tag.name}> closes nothing.`, line);
      else
        for (const left of open.splice(from).slice(1))
          report(`<${left.name}> is not closed before </${tag.name}> (line ${line}).`, left.line);
    }
  }
  for (const left of open) report(`<${left.name}> is never closed.`, left.line);
  return problems;
}

/**
 * Keeps `data-pennypost-track="off"` on a component. mjml drops attributes that it does not know, so the opt-out is encoded
 * in the `href` value and restored as an attribute of the link.
 */
function keepOptOut(source: string, stem: string): { text: string; restore(html: string): string } {
  const targets: string[] = [];
  const attribute = (tag: ScannedTag, name: string) => tag.attributes.find((candidate) => candidate.name === name);
  let text = '';
  let from = 0;
  for (const tag of scanTags(source)) {
    const optOut = attribute(tag, 'data-pennypost-track');
    if (!tag.name.startsWith('mj-') || optOut === undefined) continue;
    const href = attribute(tag, 'href');
    const off = source.slice(optOut.valueBegin, optOut.valueEnd).toLowerCase() === 'off';
    let written = source.slice(tag.begin, optOut.begin) + source.slice(optOut.end, tag.end);
    if (href !== undefined && off) {
      const value = source.slice(href.begin, href.end);
      written = written.replace(value, `href="${stem}off${targets.length}z"`);
      targets.push(source.slice(href.valueBegin, href.valueEnd));
    }
    text += source.slice(from, tag.begin) + written;
    from = tag.end;
  }
  text += source.slice(from);
  const pattern = new RegExp(`href="${stem}off(\\d+)z"`, 'g');
  return {
    text,
    restore: (html) =>
      html.replace(pattern, (_, index: string) => `href="${targets[Number(index)] ?? ''}" data-pennypost-track="off"`),
  };
}
