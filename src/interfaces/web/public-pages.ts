/**
 * The pages that recipients meet: unsubscribe (RFC 8058), tracked links, the open pixel. Everything comes from the token in
 * the URL, nothing from cookies or bodies. A page says before the press what a link cannot do: broken ones, tests, a
 * database that is away. A token is 128 bits of a MAC: saying that one is wrong does not help to guess another.
 */
import { type Context, Hono } from 'hono';
import { chooseLanguage, type Language } from './messages.ts';
import type { PublicActions, UnsubscribeDetails } from './public-actions.ts';
import { type Answer, type AnswerReport, answerWithPage, PLAIN_HEADERS, RETRY_SECONDS } from './public-answer.ts';
import {
  alreadyPage,
  askPage,
  brokenLinkPage,
  donePage,
  resubscribedPage,
  rootPage,
  testPage,
  unavailablePage,
} from './public-page.ts';
import { type ClientAddress, type PublicRequest, requestFacts, socketAddress } from './request-facts.ts';
import { TrackedRequests } from './tracked-requests.ts';

export interface PublicPagesOptions {
  /** Default: the peer of the socket. */
  readonly clientAddress?: ClientAddress | undefined;
  /** Told of every failure that a recipient was spared. Never gets a token. */
  readonly report?: AnswerReport | undefined;
}

const ONE_CLICK_TEST = 'This is the link of a test message. No subscription was changed.\n';
const ONE_CLICK_BROKEN = 'This link is not valid, so no subscription was changed. Reply to the mail instead.\n';

/** Routes `/u/:token`, `/u/:token/undo`, `/c/:messageToken/:linkToken` and `/o/:token`, to be mounted at the root of the public URL. */
export function publicPages(actions: PublicActions, options: PublicPagesOptions = {}): Hono {
  const report = options.report ?? (() => undefined);
  const clientAddress = options.clientAddress ?? socketAddress;
  const requestOf = (context: Context): PublicRequest => ({
    method: context.req.method,
    header: (name) => context.req.header(name),
    clientAddress: clientAddress(context),
    language: context.req.query('language'),
  });
  const factsOf = (context: Context) => requestFacts(requestOf(context));
  const tracked = new TrackedRequests(actions, report);
  const app = new Hono();

  // GET asks and changes nothing: people, prefetchers and scanners follow the link. HEAD comes here too.
  app.get('/u/:token', async (context) => {
    const token = context.req.param('token');
    try {
      const details = await actions.openUnsubscribe(token);
      if (details === undefined || details === 'test') return answerWithoutDetails(context, details);
      const language = languageOf(context, details);
      return answer(
        context,
        language,
        details.alreadyUnsubscribed ? alreadyPage(language, details, undoUrl(context)) : askPage(language, details),
      );
    } catch (error) {
      report(error, 'unsubscribe');
      const language = languageOf(context);
      return answer(context, language, unavailablePage(language, 'open'), 503);
    }
  });

  // POST acts, whatever its body says or how it is encoded: a mail provider's one click and the button of the page alike.
  app.post('/u/:token', async (context) => {
    const token = context.req.param('token');
    const person = isPerson(context);
    try {
      const known = await actions.unsubscribe(token, factsOf(context));
      if (!person && known) return context.text('You are unsubscribed.\n', 200, PLAIN_HEADERS);
      const details = await detailsAfterwards(token);
      if (!known) {
        const kind = details === 'test' ? details : undefined;
        // Success is said only of what was kept: a provider that hears it offers its user no other way out.
        if (!person)
          return kind === 'test'
            ? context.text(ONE_CLICK_TEST, 200, PLAIN_HEADERS)
            : context.text(ONE_CLICK_BROKEN, 404, PLAIN_HEADERS);
        return answerWithoutDetails(context, kind);
      }
      const named = details === 'test' ? undefined : details;
      const language = languageOf(context, named);
      return answer(context, language, donePage(language, named, undoUrl(context)));
    } catch (error) {
      report(error, 'unsubscribe');
      if (!person) return context.text('Please try again later.\n', 503, { ...PLAIN_HEADERS, 'Retry-After': RETRY_SECONDS });
      const language = languageOf(context);
      return answer(context, language, unavailablePage(language, 'press'), 503);
    }
  });

  // An address of its own, so that no one-click request can ever come here.
  app.post('/u/:token/undo', async (context) => {
    const token = context.req.param('token');
    try {
      // There is nothing to take back (any more), or the link is invalid: the link's own page explains it.
      if (!(await actions.resubscribe(token, factsOf(context)))) return context.redirect(besides(context), 303);
      const details = await detailsAfterwards(token);
      const named = details === 'test' ? undefined : details;
      const language = languageOf(context, named);
      return answer(context, language, resubscribedPage(language, named));
    } catch (error) {
      report(error, 'unsubscribe');
      const language = languageOf(context);
      return answer(context, language, unavailablePage(language, 'press'), 503);
    }
  });

  // After a press the browser's address is the one of the press; reloading it, or changing the language, asks anew.
  app.get('/u/:token/undo', (context) => context.redirect(besides(context), 302));

  async function detailsAfterwards(token: string): Promise<UnsubscribeDetails | 'test' | undefined> {
    try {
      return await actions.openUnsubscribe(token);
    } catch (error) {
      // It is stored; a page without names must not look like a failure.
      report(error, 'unsubscribe');
      return undefined;
    }
  }

  function answerWithoutDetails(context: Context, kind: 'test' | undefined) {
    const language = languageOf(context);
    if (kind === 'test') return answer(context, language, testPage(language));
    return answer(context, language, brokenLinkPage(language, 'unsubscribe'), 404);
  }

  app.get('/c/:messageToken/:linkToken', async (context) => {
    const { messageToken, linkToken } = context.req.param();
    return shaped(context, await tracked.click(messageToken, linkToken, requestOf(context)));
  });
  app.get('/o/:token', async (context) => shaped(context, await tracked.open(context.req.param('token'), requestOf(context))));

  app.options('/u/:token/undo', (context) => context.body(null, 204, { ...PLAIN_HEADERS, Allow: 'GET, HEAD, POST, OPTIONS' }));
  app.options('/u/:token', (context) => context.body(null, 204, { ...PLAIN_HEADERS, Allow: 'GET, HEAD, POST, OPTIONS' }));
  app.options('/c/:messageToken/:linkToken', (context) =>
    context.body(null, 204, { ...PLAIN_HEADERS, Allow: 'GET, HEAD, OPTIONS' }),
  );
  app.options('/o/:token', (context) => context.body(null, 204, { ...PLAIN_HEADERS, Allow: 'GET, HEAD, OPTIONS' }));
  return app;
}

/** The page at `/` for a server that strangers reach. */
export function publicRoot(): Hono {
  const app = new Hono();
  app.get('/', (context) => {
    const language = languageOf(context);
    return answer(context, language, rootPage(language));
  });
  return app;
}

const shaped = (context: Context, { status, headers, body }: Answer) => context.newResponse(body, status, headers);

const answer = async (context: Context, language: Language, page: ReturnType<typeof askPage>, status: Answer['status'] = 200) =>
  shaped(context, await answerWithPage(language, page, status));

const isPerson = (context: Context): boolean => context.req.header('accept')?.includes('text/html') === true;

/** Relative to `/u/<token>`, where a path of the public URL may stand before. */
const undoUrl = (context: Context): string => `${encodeURIComponent(context.req.param('token') ?? '')}/undo`;

/** From `/u/<token>/undo` back to `/u/<token>`. */
function besides(context: Context): string {
  const language = context.req.query('language');
  const query = language === undefined ? '' : `?language=${encodeURIComponent(language)}`;
  return `../${encodeURIComponent(context.req.param('token') ?? '')}${query}`;
}

/** The reader's own choice on the page, then the subscriber's language, then the browser's. */
function languageOf(context: Context, details?: UnsubscribeDetails): Language {
  return chooseLanguage(context.req.query('language') ?? details?.language, context.req.header('accept-language'));
}
