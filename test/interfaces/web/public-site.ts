import type { PublicActions, UnsubscribeDetails } from '../../../src/interfaces/web/public-actions.ts';
import { publicPages } from '../../../src/interfaces/web/public-pages.ts';
import type { RequestFacts } from '../../../src/interfaces/web/request-facts.ts';

export const VALID = 'valid-token';
export const FORGED = 'forged-token';
export const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
export const ONE_CLICK = { method: 'POST', body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }) };

interface Recorded {
  readonly unsubscribed: { token: string; facts: RequestFacts }[];
  readonly clicked: RequestFacts[];
  readonly resubscribed: string[];
  readonly opened: RequestFacts[];
  readonly reported: string[];
}

/** The public pages over actions that know one token and remember what was done. */
export function aSite(given: { details?: Partial<UnsubscribeDetails>; target?: string; actions?: Partial<PublicActions> } = {}) {
  const recorded: Recorded = { unsubscribed: [], resubscribed: [], clicked: [], opened: [], reported: [] };
  const details: UnsubscribeDetails = {
    projectName: 'Penny Gazette',
    maskedAddress: 'a…@example.org',
    listNames: ['Weekly letter', 'Events'],
    language: undefined,
    alreadyUnsubscribed: false,
    undoable: false,
    ...given.details,
  };
  const actions: PublicActions = {
    openUnsubscribe: async (token) => (token === VALID ? details : token === 'test' ? 'test' : undefined),
    unsubscribe: async (token, facts) => {
      if (token === VALID) recorded.unsubscribed.push({ token, facts });
      return token === VALID;
    },
    resubscribe: async (token) => {
      if (token === VALID) recorded.resubscribed.push(token);
      return token === VALID;
    },
    click: async (messageToken, linkToken, facts) => {
      if (messageToken === VALID) recorded.clicked.push(facts);
      return linkToken === VALID ? (given.target ?? 'https://shop.example/?a=1&b=%20#c') : undefined;
    },
    open: async (token, facts) => {
      if (token === VALID) recorded.opened.push(facts);
    },
    ...given.actions,
  };
  const app = publicPages(actions, {
    clientAddress: () => '203.0.113.7',
    report: (error, where) => recorded.reported.push(`${where}: ${(error as Error).message}`),
  });
  return { app, actions, recorded };
}

export const away = async (): Promise<never> => {
  throw new Error('the database is away');
};
