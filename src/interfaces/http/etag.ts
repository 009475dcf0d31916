import { createHash } from 'node:crypto';

/**
 * A JSON answer with an ETag of its content (RFC 9110 section 8.8.3), or 304 for who has it already. Of the content and not of
 * a version, because the answer about a list or a subscriber also holds numbers and subscriptions that change by themselves.
 * A shared cache may keep nothing, the caller's own one only what it asks about each time.
 */
export function taggedJson(request: Request, answer: unknown): Response {
  const body = JSON.stringify(answer);
  // 132 bits: two contents never have the same tag.
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  const headers = { etag, 'cache-control': 'private, no-cache', vary: 'Authorization' };
  if (isKnown(request.headers.get('if-none-match'), etag)) return new Response(null, { status: 304, headers });
  return new Response(body, { headers: { 'content-type': 'application/json', ...headers } });
}

/** RFC 9110 section 13.1.2: a list of tags compared weakly, or `*` for any. */
function isKnown(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  return ifNoneMatch.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
}
