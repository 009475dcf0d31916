import { html, raw } from 'hono/html';
import { type Language, messages } from './messages.ts';
import type { UnsubscribeDetails } from './public-actions.ts';
import { publicStyles } from './public-styles.ts';
import { readableDomains } from './readable-text.ts';

type Html = ReturnType<typeof html>;

/** Asks, and changes nothing. */
export function askPage(language: Language, details: UnsubscribeDetails): Html {
  const { unsubscribe } = messages[language];
  return page(language, {
    projectName: details.projectName,
    title: unsubscribe.title,
    sign: undefined,
    lead: unsubscribe.question(details.projectName),
    body: html`${detailsList(language, details)}
      ${pressForm(language, unsubscribe.button)}
      <p class="hint">${unsubscribe.hint}</p>`,
  });
}

export function alreadyPage(language: Language, details: UnsubscribeDetails, undoUrl: string): Html {
  const { already } = messages[language];
  return page(language, {
    projectName: details.projectName,
    title: already.title,
    sign: 'good',
    lead: already.text(details.projectName),
    body: html`${detailsList(language, details)}${ending(language, details.undoable, undoUrl)}`,
  });
}

/** Without details: it is stored, and only the names cannot be read. */
export function donePage(language: Language, details: UnsubscribeDetails | undefined, undoUrl: string): Html {
  const { unsubscribed } = messages[language];
  return page(language, {
    projectName: details?.projectName,
    title: unsubscribed.title,
    sign: 'good',
    lead: details === undefined ? unsubscribed.textWithoutNames : unsubscribed.text(details.projectName),
    body: html`${details && detailsList(language, details)}${ending(language, details?.undoable === true, undoUrl)}`,
  });
}

export function resubscribedPage(language: Language, details: UnsubscribeDetails | undefined): Html {
  const { resubscribed, unsubscribed } = messages[language];
  return page(language, {
    projectName: details?.projectName,
    title: resubscribed.title,
    sign: 'good',
    lead: details === undefined ? resubscribed.textWithoutNames : resubscribed.text(details.projectName),
    body: html`${details && detailsList(language, details)}<p class="hint">${unsubscribed.close}</p>`,
  });
}

/** It cannot be done now. `press`: the wish could not be stored, press again. Otherwise the page itself is asked for again. */
export function unavailablePage(language: Language, again: 'press' | 'open'): Html {
  const { unavailable } = messages[language];
  return page(language, {
    projectName: undefined,
    title: unavailable.title,
    sign: 'warn',
    lead: again === 'press' ? unavailable.text : unavailable.textBefore,
    body:
      again === 'press'
        ? pressForm(language, unavailable.button)
        : html`<form method="get"><button class="press">${unavailable.button}</button></form>`,
  });
}

export function brokenLinkPage(language: Language, link: 'followed' | 'unsubscribe'): Html {
  const { brokenLink } = messages[language];
  const lead = link === 'unsubscribe' ? brokenLink.unsubscribe : brokenLink.text;
  return page(language, { projectName: undefined, title: brokenLink.title, sign: 'warn', lead, body: html`` });
}

export function testPage(language: Language): Html {
  const { test } = messages[language];
  return page(language, { projectName: undefined, title: test.title, sign: 'envelope', lead: test.text, body: html`` });
}

/** The root page of a public server: it says nothing about the projects on it. */
export function rootPage(language: Language): Html {
  const { root } = messages[language];
  return page(language, { projectName: undefined, title: root.title, sign: 'envelope', lead: root.text, body: html`` });
}

const SIGNS = {
  envelope: { className: 'sign', path: 'M4 6.5h16v11H4zM4.5 7l7.5 6 7.5-6' },
  good: { className: 'sign good', path: 'M5.5 12.5l4.5 4.5 8.5-10' },
  warn: { className: 'sign warn', path: 'M12 6.5v7M12 17.2v.3' },
} as const;

interface PageParts {
  readonly projectName: string | undefined;
  readonly title: string;
  /** Absent where the project's own mark says enough. */
  readonly sign: keyof typeof SIGNS | undefined;
  readonly lead: string;
  readonly body: Html;
}

function page(language: Language, parts: PageParts): Html {
  return html`<!doctype html>
<html lang="${language}">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <meta name="robots" content="noindex, nofollow">
  <title>${parts.projectName === undefined ? parts.title : `${parts.title} · ${parts.projectName}`}</title>
  <link rel="icon" href="data:,">
  <style>${raw(publicStyles)}</style>
</head>
<body>
  <main>
    ${parts.projectName !== undefined && projectMark(parts.projectName)}
    ${parts.sign !== undefined && signMark(parts.sign)}
    <h1>${parts.title}</h1>
    <p class="lead">${parts.lead}</p>
    ${parts.body}
  </main>
  <footer>
    <ul>${languageLinks(language)}</ul>
  </footer>
</body>
</html>`;
}

function signMark(name: keyof typeof SIGNS): Html {
  const { className, path } = SIGNS[name];
  return html`<div class="${className}" aria-hidden="true">
      <svg width="26" height="26" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"><path d="${path}"/></svg>
    </div>`;
}

function projectMark(name: string): Html {
  const initial = [...name.trim()][0]?.toLocaleUpperCase() ?? '';
  return html`<p class="from"><span class="tile" aria-hidden="true">${initial}</span>${name}</p>`;
}

function detailsList(language: Language, details: UnsubscribeDetails): Html {
  const { unsubscribe } = messages[language];
  const names = new Intl.ListFormat(language, { type: 'conjunction' }).format(details.listNames);
  if (details.maskedAddress === '' && details.listNames.length === 0) return html``;
  return html`<dl>
      ${details.maskedAddress !== '' && html`<div><dt>${unsubscribe.address}</dt><dd>${readableDomains(details.maskedAddress)}</dd></div>`}
      ${details.listNames.length > 0 && html`<div><dt>${unsubscribe.lists(details.listNames.length)}</dt><dd>${names}</dd></div>`}
    </dl>`;
}

function pressForm(language: Language, label: string): Html {
  return html`<form method="post" action="?language=${language}"><button class="press">${label}</button></form>`;
}

/** What is left to do: to take it back where that can be, and to go. */
function ending(language: Language, undoable: boolean, undoUrl: string): Html {
  const { unsubscribed } = messages[language];
  if (!undoable) return html`<p class="hint">${unsubscribed.close}</p>`;
  return html`<p class="hint">${unsubscribed.close} ${unsubscribed.undoHint}</p>
      <form method="post" action="${undoUrl}?language=${language}"><button class="press quiet">${unsubscribed.undo}</button></form>`;
}

function languageLinks(current: Language): Html[] {
  return Object.entries(messages).map(([language, { languageName }]) =>
    language === current
      ? html`<li><span aria-current="true">${languageName}</span></li>`
      : html`<li><a href="?language=${language}" hreflang="${language}" lang="${language}">${languageName}</a></li>`,
  );
}
