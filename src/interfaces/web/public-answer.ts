import { createHash } from 'node:crypto';
import type { Language } from './messages.ts';
import type { askPage } from './public-page.ts';
import { publicStyles } from './public-styles.ts';

/** What a request to a public link is answered with, before a server or a framework gives it its own shape. */
export interface Answer {
  readonly status: 200 | 302 | 404 | 503;
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array<ArrayBuffer> | null;
}

/** Hears of every failure that a recipient was spared. Never gets a token. */
export type AnswerReport = (error: unknown, where: 'unsubscribe' | 'click' | 'open') => void;

export const RETRY_SECONDS = '60';

export const PLAIN_HEADERS = {
  'Cache-Control': 'no-store',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Robots-Tag': 'noindex, nofollow',
} as const;

/** A page with the headers of all pages. */
export async function answerWithPage(
  language: Language,
  page: ReturnType<typeof askPage>,
  status: Answer['status'],
): Promise<Answer> {
  const styles = createHash('sha256').update(publicStyles).digest('base64');
  return {
    status,
    headers: {
      ...PLAIN_HEADERS,
      'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${styles}'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
      'Cross-Origin-Opener-Policy': 'same-origin',
      Vary: 'Accept-Language',
      'Content-Type': 'text/html; charset=UTF-8',
      'Content-Language': language,
      ...(status === 503 ? { 'Retry-After': RETRY_SECONDS } : {}),
    },
    body: String(await page),
  };
}
