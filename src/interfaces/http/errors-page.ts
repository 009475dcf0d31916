import { readFile } from 'node:fs/promises';
import { Hono } from 'hono';
import { html, raw } from 'hono/html';

/** The same place seen from `src/interfaces/http` and from `dist/interfaces/http`. */
const SOURCE = new URL('../../../docs/reference/errors.md', import.meta.url);
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** `/docs/errors`: where the `type` of every problem leads; to be mounted at the root. */
export function errorsPage(): Hono {
  const page = new Hono();
  page.get('/docs/errors', async (context) => {
    const body = markdownToHtml(await readFile(SOURCE, 'utf8'));
    return context.html(layout(body), 200, { 'content-security-policy': POLICY, 'cache-control': 'public, max-age=3600' });
  });
  return page;
}

/** As much of Markdown as docs/reference/errors.md uses: headings, paragraphs, tables, code, anchors. */
function markdownToHtml(markdown: string): string {
  return markdown
    .split(/\n{2,}/)
    .map((block) => block.trim())
    .flatMap((block) => {
      const heading = /^(#{1,3}) (.*)(?:\n([\s\S]*))?$/.exec(block);
      if (heading === null) return [block];
      return [`<h${heading[1]!.length}>${inline(heading[2]!)}</h${heading[1]!.length}>`, heading[3] ?? ''];
    })
    .filter((block) => block !== '')
    .map((block) => (block.startsWith('<h') ? block : block.startsWith('|') ? table(block) : `<p>${inline(block)}</p>`))
    .join('\n');
}

function table(block: string): string {
  const [head = [], , ...rows] = block.split('\n').map((line) =>
    line
      .replace(/^\||\|$/g, '')
      .split('|')
      .map((cell) => inline(cell.trim())),
  );
  const row = (cells: readonly string[], tag: 'th' | 'td') =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
  return `<table><thead>${row(head, 'th')}</thead><tbody>${rows.map((cells) => row(cells, 'td')).join('')}</tbody></table>`;
}

function inline(text: string): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
  return escaped
    .replace(/&lt;a id=&quot;([\w.]+)&quot;&gt;&lt;\/a&gt;/g, '<a id="$1"></a>')
    .replace(/`([^`]+)`/g, '<code>$1</code>');
}

function layout(body: string) {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>pennypost: errors</title>
    <style>
      :root { color-scheme: light dark; }
      body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
      table { border-collapse: collapse; width: 100%; }
      th, td { text-align: left; vertical-align: top; padding: .5rem .75rem; border-bottom: 1px solid #8884; }
      code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
      tr:has(:target) { background: #fd03; }
    </style>
  </head>
  <body>
    ${raw(body)}
  </body>
</html>`;
}
