import type { Liquid } from 'liquidjs';
import type { AssembledParts, Content, ContentProblem, PlanContext } from '../../domain/campaign/index.ts';
import { textFooter } from './footer.ts';
import { Footers, seamsOf } from './footers.ts';
import { LinkBook, placeHtmlLinks, placeTextLinks } from './links.ts';
import { findRegions } from './liquid-regions.ts';
import { textFromHtml } from './text-part.ts';

export interface Assembled extends AssembledParts {
  /** What each part lacks and the content does not allow to add. */
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
  const book = new LinkBook();
  const footers = new Footers(engine, content, context);

  if (html === undefined) {
    const text = placeTextLinks(engine, content.source + footers.forText('source', content.source), book);
    return { html: undefined, text, slots: book.slots, links: book.links, problems: footers.problems };
  }

  const footer = footers.forHtml(html);
  const linked = placeHtmlLinks(engine, html, book);
  const written = content.text !== undefined && content.text.trim() !== '' ? content.text : undefined;
  // An address that is only text in the HTML stays text: both parts have the same links.
  const text =
    written === undefined
      ? (await textFromHtml(engine, linked, book.slots)) + textFooter(footer.needs)
      : placeTextLinks(engine, written, book) + footers.forText('text', written);
  const preheader =
    content.preheader === undefined || content.preheader.trim() === '' ? '' : hiddenPreheader(engine, content.preheader);
  const pixel = context.tracking?.openPixel === true ? PIXEL : '';
  const { begin, ends } = seamsOf(engine, linked);
  const end = ends[footer.place] ?? linked.length;
  const dressed = linked.slice(0, begin) + preheader + linked.slice(begin, end) + footer.html + pixel + linked.slice(end);
  return { html: dressed, text, slots: book.slots, links: book.links, problems: footers.problems };
}

const PIXEL =
  '<img src="{% pennypost_open %}" width="1" height="1" alt="" border="0" style="display:block;width:1px;height:1px;border:0;" />';

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
