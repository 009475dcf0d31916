import { Hono } from 'hono';
import { html } from 'hono/html';

/** The viewer sets styles on elements, hence 'unsafe-inline' for styles alone. Nothing is loaded from another host. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Switches off every part of the viewer that would talk to its maker's hosts. Dark mode follows the system. */
const START = `Scalar.createApiReference('#reference', {
  url: new URL('../openapi.json', document.baseURI).href,
  theme: 'default', withDefaultFonts: false, telemetry: false, persistAuth: false, hideClientButton: true,
  showDeveloperTools: 'never', agent: { disabled: true }, mcp: { disabled: true }, documentDownloadType: 'json',
  defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' },
});`;

const JAVASCRIPT = 'text/javascript; charset=utf-8';

/** `/docs/` and the files that it needs; to be mounted at the root. */
export function referencePage(): Hono {
  const headers = { 'content-security-policy': POLICY, 'cache-control': 'public, max-age=3600' };
  const page = new Hono();
  // The page's addresses are relative, so that it works under a prefix too; without the slash they would point elsewhere.
  page.get('/docs', (context) => context.redirect('docs/', 302));
  page.get('/docs/', (context) => context.html(REFERENCE, 200, headers));
  page.get('/docs/start.js', (context) => context.body(START, 200, { ...headers, 'content-type': JAVASCRIPT }));
  page.get('/docs/scalar.js', async (context) =>
    context.body(await viewerScript(), 200, { ...headers, 'content-type': JAVASCRIPT }),
  );
  return page;
}

interface PluginRoute {
  readonly url: string;
  handler(request: unknown, reply: PluginReply): unknown;
}

interface PluginReply {
  header(name: string, value: string): PluginReply;
  send(body: string): string;
}

/**
 * The viewer as one file of 4 MB. Its package offers it only through a Fastify plugin, so the plugin registers its routes
 * here and the one with the script is asked. The package is loaded at the first request.
 */
async function viewerScript(): Promise<string> {
  const { default: plugin } = await import('@scalar/fastify-api-reference');
  const routes: PluginRoute[] = [];
  const host = { route: (route: PluginRoute) => routes.push(route), initialConfig: {} };
  await new Promise<void>((done) =>
    plugin(host, { routePrefix: '/docs', configuration: { url: '../openapi.json' } }, () => done()),
  );
  const script = routes.find(({ url }) => url.endsWith('.js'));
  if (script === undefined) throw new Error('@scalar/fastify-api-reference offers no script.');
  const reply: PluginReply = { header: () => reply, send: (body) => body };
  return String(script.handler({}, reply));
}

const REFERENCE = html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>pennypost: API reference</title>
    <link rel="icon" href="data:," />
  </head>
  <body>
    <div id="reference"></div>
    <script src="scalar.js"></script>
    <script src="start.js"></script>
  </body>
</html>`;
