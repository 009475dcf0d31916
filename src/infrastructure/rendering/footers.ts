import type { Liquid } from 'liquidjs';
import type { Content, ContentProblem, PlanContext } from '../../domain/campaign/index.ts';
import { type FooterNeeds, htmlFooter, textFooter } from './footer.ts';
import { scanTags } from './html-scan.ts';
import { findRegions, lineIndex, mask } from './liquid-regions.ts';
import { hiddenFrom, type Shown, shownToAll } from './shown.ts';
import { usesOf } from './variables.ts';

/**
 * Gives the parts of marketing mail what law and mailbox providers ask for: a visible way out and a postal address
 * (CAN-SPAM). What every reader sees already is not added again; where the footer would not be visible, the content is refused.
 */
export class Footers {
  readonly problems: ContentProblem[] = [];
  private readonly engine: Liquid;
  private readonly content: Content;
  private readonly context: PlanContext;

  constructor(engine: Liquid, content: Content, context: PlanContext) {
    this.engine = engine;
    this.content = content;
    this.context = context;
  }

  /** The footer for a part in plain text. */
  forText(part: 'source' | 'text', text: string): string {
    const footer = textFooter(this.needsOf(part, text, false));
    if (footer !== '' && !isComplete(this.shown(text + footer, false))) this.problems.push(this.unseen(part, text, undefined));
    return footer;
  }

  /** The footer for HTML, and at which of its seams it is seen. */
  forHtml(html: string): { readonly needs: FooterNeeds; readonly html: string; readonly place: number } {
    const needs = this.needsOf('source', html, true);
    const footer = htmlFooter(needs);
    if (footer === '') return { needs, html: '', place: 0 };
    const { ends } = seamsOf(this.engine, html);
    const place = ends.findIndex((end) => isComplete(this.shown(html.slice(0, end) + footer + html.slice(end), true)));
    if (place === -1) this.problems.push(this.unseen('source', html, hiddenFrom(this.engine, html)));
    return { needs, html: footer, place: Math.max(place, 0) };
  }

  private needsOf(part: 'source' | 'text', text: string, html: boolean): FooterNeeds {
    if (this.context.stream !== 'marketing') return { unsubscribe: false, postalAddress: false };
    const { unsubscribe, postalAddress } = this.shown(text, html);
    if (this.content.footer === 'project') return { unsubscribe: !unsubscribe, postalAddress: !postalAddress };
    if (!unsubscribe) this.problems.push(this.missing(part, 'unsubscribe link', 'unsubscribe_url'));
    if (!postalAddress) this.problems.push(this.missing(part, 'postal address', 'postal_address'));
    return { unsubscribe: false, postalAddress: false };
  }

  private shown(source: string, html: boolean): Shown {
    // The engine that checks the author's content does not know the tag for a word of the footer.
    const plain = source.replaceAll(/\{% pennypost_label \w+ %\}/g, 'Unsubscribe');
    return shownToAll(this.engine, plain, html, this.context.project.postalAddress);
  }

  private missing(part: 'source' | 'text', what: string, name: string): ContentProblem {
    const written = part === 'text' ? (this.content.text ?? '') : this.content.source;
    const line = usesOf(this.engine.parse(written)).uses.find((use) => use.path[0] === name)?.line;
    const reason =
      line === undefined
        ? `There is no ${what}.`
        : `Not every recipient sees the ${what}: it is in a comment, a hidden element, a link without text, or a condition.`;
    const message = `${reason} Marketing mail must have one: show {{ ${name} }} to every recipient, or use the project's footer (footer: project).`;
    return { severity: 'error', code: 'footer.missing', part, line, message };
  }

  /** @param hidden where that begins which hides the end of the part */
  private unseen(part: 'source' | 'text', text: string, hidden: number | undefined): ContentProblem {
    const jump = /\{%-?\s*(?:break|continue)\b/.exec(text)?.index;
    const position = hidden ?? jump;
    // What MJML becomes has other lines than the author's.
    const line = position === undefined || this.content.kind === 'mjml' ? undefined : lineIndex(text)(position);
    const message =
      'The footer with unsubscribe link and postal address would not be visible: an unclosed comment, tag or hidden element, or {% break %} outside of a loop, hides the end of the message. Close or remove it.';
    return { severity: 'error', code: 'footer.hidden', part, line, message };
  }
}

const isComplete = ({ unsubscribe, postalAddress }: Shown): boolean => unsubscribe && postalAddress;

/** Where something can be put into HTML: behind `<body>`; and before `</body>`, before `</html>`, at the end, in this order. */
export function seamsOf(engine: Liquid, html: string): { readonly begin: number; readonly ends: readonly number[] } {
  let begin = /^\s*<!doctype[^>]*>/i.exec(html)?.[0].length ?? 0;
  let body: number | undefined;
  let end: number | undefined;
  for (const tag of scanTags(mask(html, findRegions(engine, html)))) {
    if (tag.condition !== undefined) continue;
    if (tag.closing ? tag.name === 'head' : tag.name === 'html' || tag.name === 'body') begin = Math.max(begin, tag.end);
    if (tag.closing && tag.name === 'body') body = tag.begin;
    if (tag.closing && tag.name === 'html') end = tag.begin;
  }
  return { begin, ends: [body ?? end ?? html.length, end ?? html.length, html.length] };
}
