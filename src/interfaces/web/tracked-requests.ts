import { chooseLanguage } from './messages.ts';
import type { PublicActions } from './public-actions.ts';
import { type Answer, type AnswerReport, answerWithPage, PLAIN_HEADERS } from './public-answer.ts';
import { brokenLinkPage, unavailablePage } from './public-page.ts';
import { type PublicRequest, requestFacts } from './request-facts.ts';

/** A transparent GIF of one pixel, 43 octets. */
const PIXEL = Buffer.from('R0lGODlhAQABAPAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==', 'base64');
const PIXEL_HEADERS = {
  ...PLAIN_HEADERS,
  'Content-Type': 'image/gif',
  'Cross-Origin-Resource-Policy': 'cross-origin',
} as const;

/** Answers clicks and opens, for the app of the public pages and for a server that takes them before any app does. */
export class TrackedRequests {
  readonly #actions: Pick<PublicActions, 'click' | 'open'>;
  readonly #report: AnswerReport;

  constructor(actions: Pick<PublicActions, 'click' | 'open'>, report: AnswerReport) {
    this.#actions = actions;
    this.#report = report;
  }

  /** A redirect to the link's target, or a page for an invalid link. Never rejects. */
  async click(messageToken: string, linkToken: string, request: PublicRequest): Promise<Answer> {
    try {
      const target = locationOf(await this.#actions.click(messageToken, linkToken, requestFacts(request)));
      if (target !== undefined) return { status: 302, headers: { ...PLAIN_HEADERS, Location: target }, body: null };
      const language = languageOf(request);
      return answerWithPage(language, brokenLinkPage(language, 'followed'), 404);
    } catch (error) {
      this.#report(error, 'click');
      const language = languageOf(request);
      return answerWithPage(language, unavailablePage(language, 'open'), 503);
    }
  }

  /** The pixel, whatever happens. */
  async open(token: string, request: PublicRequest): Promise<Answer> {
    try {
      await this.#actions.open(token, requestFacts(request));
    } catch (error) {
      this.#report(error, 'open');
    }
    return { status: 200, headers: PIXEL_HEADERS, body: PIXEL };
  }
}

const languageOf = (request: PublicRequest) => chooseLanguage(request.language, request.header('accept-language'));

/** Nothing in it has to be encoded or can be another scheme than it says. */
const PLAIN_TARGET = /^https?:\/\/[\x21-\x5b\x5d-\x7e]+$/i;

/**
 * A target as it may stand in `Location`. It is signed, so it is what the author wrote; still nothing but http and https
 * leaves here, and nothing that is not plain ASCII does so unencoded.
 */
function locationOf(target: string | undefined): string | undefined {
  if (target === undefined || !URL.canParse(target)) return undefined;
  if (PLAIN_TARGET.test(target)) return target;
  const url = new URL(target);
  return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : undefined;
}
