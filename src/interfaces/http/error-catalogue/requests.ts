import type { ErrorSection } from './section.ts';

export const REQUESTS: ErrorSection = {
  title: 'HTTP requests',
  errors: {
    'request.malformed': {
      kind: 'http',
      meaning: '400: the request is not valid HTTP.',
      remedy: 'Use an HTTP client, and check proxies in between.',
    },
    'request.head_too_large': {
      kind: 'http',
      meaning: '431: request line and headers are larger than 16 kB.',
      remedy: 'Shorten headers, cookies or the query.',
    },
    'request.target_too_long': {
      kind: 'http',
      meaning: '414: path and query are longer than 8,192 characters.',
      remedy: 'Shorten the query; large input belongs in the body.',
    },
    'request.timeout': {
      kind: 'http',
      meaning: '408: the request did not arrive in time: its head within 30 seconds, all of it within an hour.',
      remedy: 'Send it again over a faster connection.',
    },
    'request.too_slow': {
      kind: 'invalid',
      meaning: 'Status 408: fewer than 30 kB of the body arrived in 30 seconds.',
      remedy: 'Send it over a faster connection, or in smaller parts.',
    },
    'request.unsupported_expectation': {
      kind: 'http',
      meaning: '417: the header `Expect` has another value than `100-continue`.',
      remedy: 'Omit the header.',
    },
    'request.bad_json': {
      kind: 'http',
      meaning: '400: the body is not valid JSON.',
      remedy: 'Correct the body at the place that the message names.',
    },
    'request.aborted': {
      kind: 'invalid',
      meaning: 'Status 400: the body ended before it was complete.',
      remedy: 'Send it again. For imports over slow connections raise the timeout of proxies.',
    },
    'route.not_found': {
      kind: 'http',
      meaning: '404: there is no such route.',
      remedy: 'See the reference at `/docs/`.',
    },
    'route.method_not_allowed': {
      kind: 'http',
      meaning: '405: the route exists, but not with this method; `Allow` lists its methods.',
      remedy: 'Use one of the methods in `Allow`.',
    },
    'request.too_large': {
      kind: 'invalid',
      meaning: 'Status 413: the body is larger than this route accepts.',
      remedy: 'Split it. Import subscribers with `POST /v1/imports`, which streams.',
    },
    'request.unsupported_type': {
      kind: 'http',
      meaning: '415: this route does not read the body’s type or encoding.',
      remedy: 'Set `Content-Type` as the message says, and do not compress.',
    },
    'request.too_many_failures': {
      kind: 'http',
      meaning: '429: too many requests with invalid keys came from this network.',
      remedy: 'Check the key; wait for the seconds in `Retry-After`.',
    },
    'request.rate_limited': {
      kind: 'http',
      meaning: '429: the key’s limit of requests per second is used up.',
      remedy: 'Wait for the seconds in `Retry-After`.',
    },
    'internal.error': {
      kind: 'http',
      meaning: '500: an internal fault of pennypost.',
      remedy: 'The server’s log has it under the id in `instance`; please report it.',
    },
  },
};
