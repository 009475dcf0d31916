import { html, raw } from 'hono/html';
import { type Html, type ListPlace, query } from './inbox-layout.ts';
import type { InboxMessage } from './readable-inbox.ts';
import { readableDomains, readableUrl } from './readable-text.ts';

export const TABS = ['preview', 'text', 'headers', 'links', 'source'] as const;
export type Tab = (typeof TABS)[number];

export interface MessagePageParts {
  readonly base: string;
  readonly place: ListPlace;
  readonly message: InboxMessage;
  readonly tab: Tab;
  readonly width: 'desktop' | 'phone';
  /** Whether pictures and fonts are loaded from the web. */
  readonly remote: boolean;
  /** For the tab `source`. */
  readonly source: Uint8Array;
}

const LABELS: Readonly<Record<Tab, string>> = {
  preview: 'HTML',
  text: 'Text',
  headers: 'Headers',
  links: 'Links',
  source: 'Source',
};
/** Longer sources are cut in the page; the download is whole. */
const SOURCE_BYTES = 256 * 1024;

export function messagePage(parts: MessagePageParts): Html {
  const { base, place, message } = parts;
  return html`<article class="letter">
        <a class="back button" href="${base}${query({ ...place })}">← All messages</a>
        <h1>${message.subject === '' ? '(no subject)' : message.subject}</h1>
        <dl class="parties">
          <dt>From</dt><dd>${readableDomains(message.from)}</dd>
          <dt>To</dt><dd>${readableDomains(message.to)}${envelopeNote(message)}</dd>
          <dt>Date</dt><dd>${dateOf(message)} <span class="quiet">· ${sizeText(message.size)}</span></dd>
        </dl>
        ${message.attachments.length > 0 && attachments(base, message)}
      </article>
      ${tabs(parts)}
      ${bodyOf(parts)}`;
}

function tabs(parts: MessagePageParts): Html {
  const { message, tab, width, remote } = parts;
  const counts: Partial<Record<Tab, number>> = { links: message.links.length };
  const offered = TABS.filter((name) => isOffered(name, message)).map(
    (name) =>
      html`<a href="${hrefOf(parts, { tab: name })}"${current(name === tab)}>${LABELS[name]}${counts[name] !== undefined && ` (${counts[name]})`}</a>`,
  );
  const widths = (['desktop', 'phone'] as const).map(
    (name) =>
      html`<a href="${hrefOf(parts, { tab: 'preview', width: name, remote: remote ? 'on' : undefined })}"${current(name === width)}>${name === 'phone' ? 'Phone' : 'Desktop'}</a>`,
  );
  return html`<div class="bar">
        <nav class="tabs" aria-label="Parts of the message">${offered}</nav>
        ${tab === 'preview' && html`<nav class="widths" aria-label="Width">${widths}</nav>`}
        <a class="button" href="${parts.base}/messages/${message.id}/source" download>Download</a>
      </div>`;
}

/** The first tab that this message has something for. */
export function defaultTab(message: InboxMessage): Tab {
  return message.html === undefined ? 'text' : 'preview';
}

export const isOffered = (tab: Tab, message: InboxMessage): boolean =>
  (tab !== 'preview' || message.html !== undefined) &&
  (tab !== 'text' || message.text !== undefined || message.html === undefined);

function bodyOf(parts: MessagePageParts): Html {
  const { message, tab } = parts;
  if (tab === 'preview') return preview(parts);
  if (tab === 'text') return html`<div class="sheet"><pre>${message.text ?? ''}</pre></div>`;
  if (tab === 'headers') {
    const rows = message.headers.map(
      ({ name, value }) => html`<tr><th scope="row">${name}</th><td class="mono">${value}</td></tr>`,
    );
    return html`<div class="sheet"><table><tbody>${rows}</tbody></table></div>`;
  }
  if (tab === 'links') return links(message);
  const shown = Buffer.from(parts.source).toString('utf8', 0, SOURCE_BYTES);
  const cut = parts.source.byteLength > SOURCE_BYTES && html`<p class="quiet">The first 256 kB; the download has all of it.</p>`;
  return html`<div class="sheet"><pre>${shown}</pre>${cut}<p class="onward"><a class="button" href="${parts.base}/messages/${message.id}/source">Download</a></p></div>`;
}

/** No scripts, no origin of its own; links open in a new tab. */
export const FRAME_SANDBOX = 'allow-popups allow-popups-to-escape-sandbox';

function preview(parts: MessagePageParts): Html {
  const { base, message, width, remote } = parts;
  const note =
    !remote &&
    loadsFromWeb(message.html ?? '') &&
    html`<div class="note"><span>Pictures from the web are not loaded: loading them would count as an open.</span>
        <a class="button" href="${hrefOf(parts, { width, remote: 'on' })}">Load them</a></div>`;
  return html`${note}<div class="stage ${width}"><iframe title="The message as HTML" sandbox="${FRAME_SANDBOX}" referrerpolicy="no-referrer" src="${base}/messages/${message.id}/html${query({ remote: remote ? 'on' : undefined })}"></iframe></div>`;
}

const loadsFromWeb = (source: string): boolean =>
  /\s(?:src|srcset|background)\s*=\s*["']?\s*https?:|url\(\s*["']?\s*https?:/i.test(source);

function links(message: InboxMessage): Html {
  if (message.links.length === 0) return html`<p class="nothing">This message has no links.</p>`;
  const rows = message.links.map(
    ({ url, label }) =>
      html`<tr><td>${label === '' ? html`<span class="quiet">(no text)</span>` : label}</td><td class="mono">${linkTo(url)}</td></tr>`,
  );
  return html`<div class="sheet"><table><thead><tr><th scope="col">Text</th><th scope="col">Target</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

/** Only the web can be followed from here; anything else is shown as it is written. */
function linkTo(url: string): Html {
  if (!/^https?:\/\//i.test(url)) return html`${readableDomains(url)}`;
  return html`<a href="${url}" target="_blank" rel="noopener noreferrer">${readableUrl(url)}</a>`;
}

function attachments(base: string, message: InboxMessage): Html {
  const items = message.attachments.map(
    ({ name, size }, index) =>
      html`<li><a href="${base}/messages/${message.id}/attachments/${index}" download>${name} <span class="quiet">${sizeText(size)}</span></a></li>`,
  );
  return html`<ul class="enclosed" aria-label="Attachments">${items}</ul>`;
}

/** The envelope decides where mail goes; say so where the header says otherwise. */
function envelopeNote(message: InboxMessage): Html {
  const others = message.envelope.to.filter((address) => !message.to.toLowerCase().includes(address.toLowerCase()));
  return others.length === 0 ? html`` : html` <span class="quiet">· envelope: ${readableDomains(others.join(', '))}</span>`;
}

const longDate = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'medium' });
const dateOf = (message: InboxMessage): string => longDate.format(message.date ?? message.receivedAt);

function sizeText(octets: number): string {
  if (octets < 1000) return `${octets} B`;
  return octets < 1_000_000 ? `${(octets / 1000).toFixed(1)} kB` : `${(octets / 1_000_000).toFixed(1)} MB`;
}

const current = (is: boolean) => raw(is ? ' aria-current="page"' : '');

function hrefOf({ base, place, message }: MessagePageParts, parameters: Readonly<Record<string, string | undefined>>): string {
  return `${base}/messages/${message.id}${query({ ...place, ...parameters })}`;
}
