import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Hono } from 'hono';
import { html } from 'hono/html';

/** Served from the installed package, so that the page works without the internet and at every path of installation. */
const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

/** The bundle sets styles on elements, hence 'unsafe-inline' for styles alone; nothing is loaded from anywhere else. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** `validatorUrl: null`: otherwise the page sends the document to validator.swagger.io. */
const START = `window.ui = SwaggerUIBundle({ url: '../openapi.json', dom_id: '#reference', deepLinking: true, validatorUrl: null, persistAuthorization: false });`;

/** `/docs/` and the files that it needs; to be mounted at the root. */
export function referencePage(): Hono {
  const require = createRequire(import.meta.url);
  const directory = dirname(require.resolve('swagger-ui-dist/package.json'));
  const headers = { 'content-security-policy': POLICY, 'cache-control': 'public, max-age=3600' };
  const page = new Hono();
  // The page's addresses are relative, so that it works under a prefix too; without the slash they would point elsewhere.
  page.get('/docs', (context) => context.redirect('docs/', 302));
  page.get('/docs/', (context) => context.html(REFERENCE, 200, headers));
  page.get('/docs/start.js', (context) =>
    context.body(START, 200, { ...headers, 'content-type': 'text/javascript; charset=utf-8' }),
  );
  page.get('/docs/:asset', async (context) => {
    const name = context.req.param('asset');
    const type = Object.hasOwn(ASSETS, name) ? ASSETS[name] : undefined;
    if (type === undefined) return context.notFound();
    return context.body(new Uint8Array(await readFile(join(directory, name))), 200, { ...headers, 'content-type': type });
  });
  return page;
}

const REFERENCE = html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>pennypost: API reference</title>
    <link rel="icon" type="image/png" href="favicon-32x32.png" />
    <link rel="stylesheet" href="swagger-ui.css" />
  </head>
  <body>
    <div id="reference"></div>
    <script src="swagger-ui-bundle.js"></script>
    <script src="start.js"></script>
  </body>
</html>`;
