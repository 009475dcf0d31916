import { html, raw } from 'hono/html';
import { type Language, messages } from './messages.ts';
import type { UnsubscribeView } from './public-actions.ts';
import { publicStyles } from './public-styles.ts';

type Html = ReturnType<typeof html>;

/** Asks, and changes nothing. An unknown token gets the same page without names, so that it teaches nothing. */
export function askPage(language: Language, view: UnsubscribeView | undefined): Html {
  const { unsubscribe } = messages[language];
  return page(language, {
    projectName: view?.projectName,
    title: unsubscribe.title,
    sign: 'envelope',
    lead: view === undefined ? unsubscribe.questionWithoutNames : unsubscribe.question(view.projectName),
    body: html`${view && details(language, view)}
      ${pressForm(language, unsubscribe.button)}
      <p class="hint">${unsubscribe.hint}</p>`,
  });
}

export function alreadyPage(language: Language, view: UnsubscribeView): Html {
  const { already, unsubscribed } = messages[language];
  return page(language, {
    projectName: view.projectName,
    title: already.title,
    sign: 'good',
    lead: already.text(view.projectName),
    body: html`${details(language, view)}<p class="hint">${unsubscribed.close}</p>`,
  });
}

export function donePage(language: Language, view: UnsubscribeView | undefined): Html {
  const { unsubscribe, unsubscribed } = messages[language];
  return page(language, {
    projectName: view?.projectName,
    // Without a valid link we do not know that anything ended, and do not say so.
    title: view === undefined ? unsubscribe.title : unsubscribed.title,
    sign: 'good',
    lead: view === undefined ? unsubscribed.textWithoutNames : unsubscribed.text(view.projectName),
    body: html`${view && details(language, view)}<p class="hint">${unsubscribed.close}</p>`,
  });
}

/** The wish could not be stored: the person presses again, or follows the link again. */
export function unavailablePage(language: Language, again: 'press' | 'follow'): Html {
  const { unavailable } = messages[language];
  return page(language, {
    projectName: undefined,
    title: unavailable.title,
    sign: 'warn',
    lead: unavailable.text,
    body:
      again === 'press'
        ? pressForm(language, unavailable.button)
        : html`<form method="get"><button class="press">${unavailable.button}</button></form>`,
  });
}

export function brokenLinkPage(language: Language): Html {
  const { brokenLink } = messages[language];
  return page(language, { projectName: undefined, title: brokenLink.title, sign: 'warn', lead: brokenLink.text, body: html`` });
}

const SIGNS = {
  envelope: { className: 'sign', path: 'M4 6.5h16v11H4zM4.5 7l7.5 6 7.5-6' },
  good: { className: 'sign good', path: 'M5.5 12.5l4.5 4.5 8.5-10' },
  warn: { className: 'sign warn', path: 'M12 6.5v7M12 17.2v.3' },
} as const;

interface PageParts {
  readonly projectName: string | undefined;
  readonly title: string;
  readonly sign: keyof typeof SIGNS;
  readonly lead: string;
  readonly body: Html;
}

function page(language: Language, parts: PageParts): Html {
  const sign = SIGNS[parts.sign];
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
    <div class="${sign.className}" aria-hidden="true">
      <svg width="26" height="26" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"><path d="${sign.path}"/></svg>
    </div>
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

function projectMark(name: string): Html {
  const initial = [...name.trim()][0]?.toLocaleUpperCase() ?? '';
  return html`<p class="from"><span class="tile" aria-hidden="true">${initial}</span>${name}</p>`;
}

function details(language: Language, view: UnsubscribeView): Html {
  const { unsubscribe } = messages[language];
  const names = new Intl.ListFormat(language, { type: 'conjunction' }).format(view.listNames);
  return html`<dl>
      <div><dt>${unsubscribe.address}</dt><dd>${view.maskedAddress}</dd></div>
      ${view.listNames.length > 0 && html`<div><dt>${unsubscribe.lists(view.listNames.length)}</dt><dd>${names}</dd></div>`}
    </dl>`;
}

function pressForm(language: Language, label: string): Html {
  return html`<form method="post" action="?language=${language}"><button class="press">${label}</button></form>`;
}

function languageLinks(current: Language): Html[] {
  return Object.entries(messages).map(([language, { languageName }]) =>
    language === current
      ? html`<li><span aria-current="true">${languageName}</span></li>`
      : html`<li><a href="?language=${language}" hreflang="${language}" lang="${language}">${languageName}</a></li>`,
  );
}
