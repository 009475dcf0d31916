import type { Liquid } from 'liquidjs';
import type { Content, ContentProblem, PlanContext, PlanLink } from '../../domain/campaign/index.ts';
import { type FooterNeeds, footerNeeds, htmlFooter, textFooter } from './footer.ts';
import { scanTags } from './html-scan.ts';
import { LinkBook, type LinkSlot, placeHtmlLinks, placeTextLinks } from './links.ts';
import { findRegions, mask } from './liquid-regions.ts';
import { textFromHtml } from './text-part.ts';
import { usesOf } from './variables.ts';

/** Templates of both parts with everything of ours in them: links, preheader, footer, pixel. */
export interface Assembled {
  readonly html: string | undefined;
  readonly text: string;
  readonly slots: readonly LinkSlot[];
  readonly links: readonly PlanLink[];
  /** What each part lacked and the content forbids us to add. */
  readonly problems: readonly ContentProblem[];
}

/**
 * Brings the parts of a message together. Marketing content that lacks the way out or the postal address gets the project's
 * footer, part by part, with only what is missing.
 * @param engine parses what an author may write
 * @param html the HTML source, or undefined for content of kind `text`
 */
export async function assemble(
  engine: Liquid,
  content: Content,
  html: string | undefined,
  context: PlanContext,
): Promise<Assembled> {
  const problems: ContentProblem[] = [];
  const book = new LinkBook();
  const footerOf = (source: string, part: ContentProblem['part']): FooterNeeds => {
    if (context.stream !== 'marketing') return NOTHING;
    const needs = footerNeeds(usesOf(engine.parse(source)), source, context.project.postalAddress);
    if (content.footer === 'project') return needs;
    if (needs.unsubscribe) problems.push(missing(part, 'unsubscribe link', '{{ unsubscribe_url }}'));
    if (needs.postalAddress) problems.push(missing(part, 'postal address', '{{ postal_address }}'));
    return NOTHING;
  };

  if (html === undefined) {
    const footer = textFooter(footerOf(content.source, 'source'));
    const text = placeTextLinks(engine, content.source + footer, book);
    return { html: undefined, text, slots: book.slots, links: book.links, problems };
  }

  const htmlNeeds = footerOf(html, 'source');
  const linked = placeHtmlLinks(engine, html, book);
  const written = content.text !== undefined && content.text.trim() !== '' ? content.text : undefined;
  const textNeeds = written === undefined ? htmlNeeds : footerOf(written, 'text');
  // An address that is only text in the HTML stays text: both parts have the same links.
  const body = written === undefined ? await textFromHtml(engine, linked, book.slots) : placeTextLinks(engine, written, book);
  const text = body + textFooter(textNeeds);
  const preheader =
    content.preheader === undefined || content.preheader.trim() === '' ? '' : hiddenPreheader(engine, content.preheader);
  const pixel = context.tracking?.openPixel === true ? PIXEL : '';
  const dressed = insert(engine, linked, preheader, htmlFooter(htmlNeeds) + pixel);
  return { html: dressed, text, slots: book.slots, links: book.links, problems };
}

const NOTHING: FooterNeeds = { unsubscribe: false, postalAddress: false };

const PIXEL =
  '<img src="{% pennypost_open %}" width="1" height="1" alt="" border="0" style="display:block;width:1px;height:1px;border:0;" />';

function missing(part: ContentProblem['part'], what: string, variable: string): ContentProblem {
  const message = `There is no ${what}. Marketing mail must have one: write ${variable}, or let the project's footer be added (footer: project).`;
  return { severity: 'error', code: 'footer.missing', part, line: undefined, message };
}

/** The line that inboxes show behind the subject; the text around its Liquid is escaped, the Liquid escapes itself. */
function hiddenPreheader(engine: Liquid, preheader: string): string {
  const found = findRegions(engine, preheader);
  let escaped = '';
  let from = 0;
  for (const region of found.regions) {
    escaped += escapeMarkup(preheader.slice(from, region.begin)) + preheader.slice(region.begin, region.end);
    from = region.end;
  }
  escaped += escapeMarkup(preheader.slice(from));
  const style = 'display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;mso-hide:all;';
  return `<div style="${style}">${escaped}</div>`;
}

const escapeMarkup = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Puts `first` behind `<body>` and `last` before `</body>`; at the ends of HTML that has no body. */
function insert(engine: Liquid, html: string, first: string, last: string): string {
  if (first === '' && last === '') return html;
  let begin = /^\s*<!doctype[^>]*>/i.exec(html)?.[0].length ?? 0;
  let end = html.length;
  for (const tag of scanTags(mask(html, findRegions(engine, html)))) {
    if (tag.closing ? tag.name === 'head' : tag.name === 'html' || tag.name === 'body') begin = Math.max(begin, tag.end);
    if (tag.closing && (tag.name === 'body' || (tag.name === 'html' && end === html.length))) end = tag.begin;
  }
  return html.slice(0, begin) + first + html.slice(begin, end) + last + html.slice(end);
}
