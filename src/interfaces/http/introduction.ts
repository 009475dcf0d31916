/** The Markdown above the API reference: what holds for every route, beginning with a first request. */
export const introduction = (serverUrl: string): string => {
  const base = serverUrl === '/' ? 'http://127.0.0.1:8025' : serverUrl;
  return `Create subscribers, send campaigns and transactional messages, and read reports.

## First request

\`pennypost project create\` prints the first API key of a project. Send the key with every request:

\`\`\`sh
curl ${base}/v1/lists --header "Authorization: Bearer pp_..."
\`\`\`

A key belongs to one project. Objects of other projects answer 404. Each route names the scopes that it needs.

## Errors

Every failed request is answered with \`application/problem+json\` (RFC 9457). Decide by \`code\`, which is stable. \`detail\` says what
is wrong, \`pointer\` or \`errors\` where. [All codes](${base}/docs/errors) have a page. Unknown fields and parameters are refused with 422.

## Pages

A listing returns \`items\` and, when there are more, \`next\`. Pass \`next\` back as \`cursor\`. \`limit\` is 1 to 500.

## Limits

Every answer carries \`RateLimit\` and \`RateLimit-Policy\`. Over the limit of its key a request gets 429 with \`Retry-After\` and has no effect.
An answer of 503 also carries \`Retry-After\`: repeat the request after that many seconds.`;
};
