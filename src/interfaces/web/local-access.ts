import type { Context, MiddlewareHandler } from 'hono';

export interface LocalAccess {
  /** Names beside `localhost` and IP addresses under which the pages are shown. */
  readonly names?: readonly string[] | undefined;
  /** True: a request that a proxy passed on is refused, because it may come from anywhere. */
  readonly direct?: boolean | undefined;
}

/** Headers that proxies, tunnels and load balancers add. */
const FORWARDED =
  /^(?:forwarded|via|cdn-loop|true-client-ip|x-(?:forwarded|original|envoy|amzn|cluster)-.+|x-(?:real|client)-ip|(?:cf|fly|tailscale|fastly)-.+)$/;

/**
 * For pages that ask for no key. A site that makes its own name resolve to this machine (DNS rebinding) gets a browser here to send
 * requests under that name, and to read the answers; under an IP address or `localhost` no foreign site can.
 */
export function localAccess({ names = [], direct = false }: LocalAccess): MiddlewareHandler {
  const known = new Set(names.map((name) => name.toLowerCase()));
  return async (context, next) => {
    const host = hostOf(context);
    if (host === undefined || !(isLocal(host) || known.has(host))) {
      const shown = (context.req.header('host') ?? '').replace(/[^\w.:[\]-]/g, '?').slice(0, 100);
      return refused(
        context,
        `This page is not shown under the name "${shown}". Open it under localhost or the server's IP address.`,
      );
    }
    if (direct && [...context.req.raw.headers.keys()].some((name) => FORWARDED.test(name)))
      return refused(
        context,
        'This page is not shown through a proxy. Set PENNYPOST_PUBLIC_URL; "pennypost serve --show-inbox" shows the inbox.',
      );
    return next();
  };
}

/** The host names of URLs. */
export function hostsOf(...urls: readonly (string | undefined)[]): readonly string[] {
  return urls.flatMap((url) => (url === undefined ? [] : [URL.parse(url)?.hostname ?? '']));
}

/** Without the port; undefined for an invalid one. A request made in this process has no header. */
function hostOf(context: Context): string | undefined {
  const header = context.req.header('host');
  const url =
    header === undefined ? URL.parse(context.req.url) : /[/?#@\\\s]/.test(header) ? null : URL.parse(`http://${header}`);
  return url === null ? undefined : url.hostname.replace(/\.$/, '');
}

const isLocal = (host: string): boolean => /^(\d+\.\d+\.\d+\.\d+|\[[\da-f:.]+\]|localhost|.+\.localhost)$/.test(host);

function refused(context: Context, text: string) {
  return context.text(`${text}\n`, 403, { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
}
