import { html, raw } from 'hono/html';
import type { InboxList, InboxSummary, ReadableInbox } from './readable-inbox.ts';
import { readableDomains } from './readable-text.ts';

export type Html = ReturnType<typeof html>;

/** Where in the list the reader stands; kept in the query of every link, so that going back finds the same place. */
export interface ListPlace {
  readonly search: string;
  readonly after: string | undefined;
}

export interface ShellParts {
  readonly base: string;
  readonly inbox: ReadableInbox;
  readonly place: ListPlace;
  readonly list: InboxList;
  /** The message being read. */
  readonly chosen?: string | undefined;
  readonly title: string;
  readonly reading: Html;
}

/** `?a=1&b=2` from what is there; nothing from what is not. */
export function query(parameters: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(parameters).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

/** The whole page: head, list and reading pane. */
export function shell(parts: ShellParts): Html {
  const { base, inbox, place, chosen } = parts;
  const newest = inbox.list({ limit: 1 }).items[0]?.id ?? '0';
  const listUrl = `${base}${query({ search: place.search, after: place.after, chosen })}`;
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${parts.title}</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="${base}/inbox.css">
  <script src="${base}/inbox.js" defer></script>
</head>
<body class="${chosen === undefined ? 'listed' : 'opened'}" data-messages="${base}/messages.json?limit=1" data-list="${listUrl}">
  <header class="top">
    <a class="brand" href="${base}">${logo(28)}pennypost <span>Development inbox</span></a>
    <div id="stats" data-newest="${newest}" data-state="${inbox.received()}/${inbox.recipients()}/${newest}">${stats(inbox)}</div>
    <form method="post" action="${base}/clear"><button>Clear inbox</button></form>
  </header>
  <div class="panes">
    <nav class="side" aria-label="Messages">
      <form class="search" role="search" action="${base}">
        <input type="search" name="search" value="${place.search}" placeholder="Search subject, author, recipient" aria-label="Search messages" autocomplete="off">
      </form>
      <div id="list">${listOf(parts)}</div>
    </nav>
    <main class="reading">${parts.reading}</main>
  </div>
</body>
</html>`;
}

/** What stands in the reading pane while no message is chosen. */
export function welcome(inbox: ReadableInbox): Html {
  const { hostname, port } = new URL(inbox.url);
  return html`<div class="welcome">
      ${logo(72)}
      <h1>${inbox.received() === 0 ? 'Waiting for the first message' : 'Choose a message to read it'}</h1>
      <p>Mail that is sent to this address is stored here. No message leaves this machine.</p>
      <dl>
        <dt>Host</dt><dd><code>${hostname}</code></dd>
        <dt>Port</dt><dd><code>${port}</code></dd>
        <dt>Security</dt><dd>none, no password</dd>
      </dl>
    </div>`;
}

export function gone(): Html {
  return html`<div class="welcome">
      ${logo(72)}
      <h1>This message is no longer stored</h1>
      <p>The inbox stores the newest messages only, and none after the process has ended.</p>
    </div>`;
}

/** A stamp: each edge is the same bite of the perforation, five times. */
const STAMP = `M4 3${'h.9a1.5 1.5 0 0 0 3 0h.9'.repeat(5)}${'v1.1a1.5 1.5 0 0 0 0 3v1.1'.repeat(5)}${'h-.9a1.5 1.5 0 0 0-3 0h-.9'.repeat(5)}${'v-1.1a1.5 1.5 0 0 0 0-3v-1.1'.repeat(5)}z`;

function logo(size: number): Html {
  return html`<svg width="${size}" height="${size}" viewBox="0 0 32 32" fill="none" aria-hidden="true"><path d="${STAMP}" fill="currentColor"/><path d="M9 11.5h14v9.5H9zM9.5 12l6.5 5.2 6.5-5.2" stroke="#fff" stroke-width="1.6" stroke-linejoin="round"/></svg>`;
}

const count = new Intl.NumberFormat('en');

function stats(inbox: ReadableInbox): Html {
  return html`<span class="live">live</span><span><b>${count.format(inbox.received())}</b> received</span><span><b>${count.format(inbox.recipients())}</b> ${inbox.recipients() === 1 ? 'recipient' : 'recipients'}</span><code class="address">${inbox.url}</code>`;
}

function listOf({ base, place, list, chosen }: ShellParts): Html {
  if (list.items.length === 0) {
    return html`<p class="nothing">${place.search === '' ? 'No messages yet.' : `Nothing matches “${place.search}”.`}</p>`;
  }
  const today = list.items[0] === undefined ? '' : dayOf(list.items[0].receivedAt);
  const rows = list.items.map((item) =>
    row(item, `${base}/messages/${item.id}${query({ ...place })}`, { today, chosen: item.id === chosen }),
  );
  const newer =
    place.after === undefined
      ? html`<span></span>`
      : html`<a class="button" href="${base}${query({ search: place.search })}">Newest</a>`;
  const older =
    list.next !== undefined &&
    html`<a class="button" href="${base}${query({ search: place.search, after: list.next })}" rel="next">Older</a>`;
  const pages = (place.after !== undefined || list.next !== undefined) && html`<div class="pages">${newer}${older}</div>`;
  return html`<ul>${rows}</ul>${pages}`;
}

function row(item: InboxSummary, href: string, { today, chosen }: { today: string; chosen: boolean }): Html {
  const recipient = item.to[0] ?? '';
  const more = item.to.length > 1 ? ` and ${item.to.length - 1} more` : '';
  const time = dayOf(item.receivedAt) === today ? clockTime.format(item.receivedAt) : dayOf(item.receivedAt);
  return html`<li><a class="row" data-id="${item.id}" href="${href}"${raw(chosen ? ' aria-current="true"' : '')}>
        <span class="face f${hueOf(recipient)}" aria-hidden="true">${[...recipient][0]?.toUpperCase() ?? '?'}</span>
        <span class="who">${readableDomains(recipient)}${more}</span>
        <time datetime="${item.receivedAt.toISOString()}">${time}</time>
        <span class="about">${item.subject === '' ? '(no subject)' : item.subject}</span>
      </a></li>`;
}

const clockTime = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const dayOf = (date: Date): string => day.format(date);

/** One of eight colours, always the same for the same address. */
function hueOf(address: string): number {
  let sum = 0;
  for (const character of address) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  return sum % 8;
}
