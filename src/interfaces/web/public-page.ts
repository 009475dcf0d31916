import { html, raw } from 'hono/html';
import { type Language, messages } from './messages.ts';
import type { UnsubscribeDetails } from './public-actions.ts';
import { publicStyles } from './public-styles.ts';

type Html = ReturnType<typeof html>;

/** Asks, and changes nothing. An unknown token gets the same page without names, so that it teaches nothing. */
export function askPage(language: Language, details: UnsubscribeDetails | undefined): Html {
  const { unsubscribe } = messages[language];
  return page(language, {
    projectName: details?.projectName,
    title: unsubscribe.title,
    sign: details === undefined ? 'envelope' : undefined,
    lead: details === undefined ? unsubscribe.questionWithoutNames : unsubscribe.question(details.projectName),
    body: html`${details && detailsList(language, details)}
      ${pressForm(language, unsubscribe.button)}
      <p class="hint">${unsubscribe.hint}</p>`,
  });
}

export function alreadyPage(language: Language, details: UnsubscribeDetails): Html {
  const { already, unsubscribed } = messages[language];
  return page(language, {
    projectName: details.projectName,
    title: already.title,
    sign: 'good',
    lead: already.text(details.projectName),
    body: html`${detailsList(language, details)}<p class="hint">${unsubscribed.close}</p>`,
  });
}

export function donePage(language: Language, details: UnsubscribeDetails | undefined): Html {
  const { unsubscribe, unsubscribed } = messages[language];
  return page(language, {
    projectName: details?.projectName,
    // Without a valid link we do not know that anything ended, and do not say so.
    title: details === undefined ? unsubscribe.title : unsubscribed.title,
    sign: details === undefined ? 'envelope' : 'good',
    lead: details === undefined ? unsubscribed.textWithoutNames : unsubscribed.text(details.projectName),
    body: html`${details && detailsList(language, details)}<p class="hint">${unsubscribed.close}</p>`,
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
  return html`<dl>
      <div><dt>${unsubscribe.address}</dt><dd>${details.maskedAddress}</dd></div>
      ${details.listNames.length > 0 && html`<div><dt>${unsubscribe.lists(details.listNames.length)}</dt><dd>${names}</dd></div>`}
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
