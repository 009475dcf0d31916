import type { Application } from '../../application/application.ts';
import { HttpProblem } from './problem.ts';

/** What a key may be allowed to do; a route names the one that it needs. */
export type Scope = Parameters<Awaited<ReturnType<Application['keys']['authenticate']>>['requireScope']>[0];

/** Who asks, as the application tells it. */
export interface Caller {
  readonly project: { readonly id: string; readonly timeZone: string };
  readonly keyId: string;
  readonly requestsPerSecond: number;
  hasScope(scope: Scope): boolean;
  requireScope(scope: Scope): void;
}

/**
 * The secret of `Authorization: Bearer pp_...` (RFC 6750 section 2.1). No other scheme, no query parameter, no cookie: what
 * a browser sends by itself must never authenticate.
 * @throws HttpProblem 401
 */
export function bearerSecret(request: Request): string {
  const match = /^bearer +([\x21-\x7e]+) *$/i.exec(request.headers.get('authorization') ?? '');
  if (match === null) {
    // Without an error code, as RFC 6750 section 3.1 has it for requests that carry no credentials at all.
    throw new HttpProblem(
      401,
      'access.unauthenticated',
      'The request has no valid API key. Send one as "Authorization: Bearer pp_...".',
      {
        headers: { 'www-authenticate': 'Bearer realm="pennypost"' },
      },
    );
  }
  return match[1]!;
}
