import { Hono } from 'hono';
import { html, raw } from 'hono/html';
import { ERROR_KINDS, ERROR_SECTIONS, ERRORS_INTRODUCTION } from './error-catalogue/index.ts';
import type { ErrorSection } from './error-catalogue/section.ts';

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** `/docs/errors`: where the `type` of every problem leads; to be mounted at the root. */
export function errorsPage(): Hono {
  const page = new Hono();
  page.get('/docs/errors', (context) =>
    context.html(layout(), 200, { 'content-security-policy': POLICY, 'cache-control': 'public, max-age=3600' }),
  );
  return page;
}

/** Plain text with code spans in backquotes. */
function inline(text: string) {
  return text.split('`').map((part, index) => (index % 2 === 0 ? part : html`<code>${part}</code>`));
}

function section({ title, about, errors }: ErrorSection) {
  const rows = Object.entries(errors).map(
    ([code, { kind, meaning, remedy }]) =>
      html`<tr><td><a id="${code}"></a><code>${code}</code></td><td>${kind}</td><td>${inline(meaning)}</td><td>${inline(remedy)}</td></tr>`,
  );
  return html`<h2>${title}</h2>
    ${about === undefined ? '' : html`<p>${inline(about)}</p>`}
    <table><thead><tr><th>code</th><th>kind</th><th>meaning</th><th>what to do</th></tr></thead><tbody>${rows}</tbody></table>`;
}

function layout() {
  const kinds = ERROR_KINDS.map(
    ({ kind, status, exitCode, advice }) =>
      html`<tr><td>${kind}</td><td>${status}</td><td>${exitCode}</td><td>${advice}</td></tr>`,
  );
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>pennypost: errors</title>
    <style>
      ${raw(STYLE)}
    </style>
  </head>
  <body>
    <h1>Errors</h1>
    <p>${inline(ERRORS_INTRODUCTION)}</p>
    <table><thead><tr><th>kind</th><th>HTTP status</th><th>exit code</th><th>what to do</th></tr></thead><tbody>${kinds}</tbody></table>
    ${ERROR_SECTIONS.map(section)}
  </body>
</html>`;
}

const STYLE = `:root { color-scheme: light dark; }
      body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
      table { border-collapse: collapse; width: 100%; }
      th, td { text-align: left; vertical-align: top; padding: .5rem .75rem; border-bottom: 1px solid #8884; }
      code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
      tr:has(:target) { background: #fd03; }`;
