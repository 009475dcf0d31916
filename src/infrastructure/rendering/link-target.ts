import { UnsafeLink, webLocation } from '../../domain/tracking/index.ts';

/** What is wrong with a target that stands in content. */
export interface TargetFault {
  readonly severity: 'error' | 'warning';
  readonly code: 'link.unsafe' | 'link.invalid' | 'link.relative' | 'link.empty' | 'link.unknown_scheme';
  readonly message: string;
}

const LIQUID = /\{\{|\{%/;

/** As browsers read a URL: blanks and controls at its ends and line breaks and tabs in it are removed (URL Standard 4.4). */
const cleaned = (target: string): string => target.replace(/^[\p{Cc} ]+|[\p{Cc} ]+$/gu, '').replace(/[\t\n\r]/g, '');

/** What stands before the first Liquid of a target, as browsers read it. */
const fixedBeginning = (target: string): string => cleaned(`${target.slice(0, LIQUID.exec(target)?.index)}`);

const schemeOf = (target: string): string | undefined => /^([a-z][a-z0-9+.-]*):/i.exec(target)?.[1]?.toLowerCase();

/** They run something, or bring a page of their own. */
const UNSAFE = new Set(
  'javascript vbscript livescript mocha data file blob filesystem jar view-source mhtml mk ms-its res about'.split(' '),
);

/** Sent as written and never tracked: what opens a program of the reader's. */
const APPS = new Set(
  [
    'mailto tel sms smsto mms cid mid callto sip sips xmpp irc ircs im geo maps comgooglemaps waze webcal webcals',
    'whatsapp skype facetime facetime-audio viber tg signal sgnl line kakaotalk weixin wechat zoommtg msteams slack discord',
    'fb fb-messenger instagram twitter x linkedin pinterest snapchat tiktok youtube vnd.youtube spotify music itms itms-apps',
    'itms-appss market intent android-app ms-windows-store paypal venmo bitcoin ethereum lightning magnet',
  ].flatMap((line) => line.split(' ')),
);

export const isAppLink = (target: string): boolean => APPS.has(schemeOf(cleaned(target)) ?? '');

/** True where a script scheme hides behind whatever browsers ignore. */
export const runsScript = (target: string): boolean =>
  /^(?:javascript|vbscript|livescript|mocha)$/.test(schemeOf(fixedBeginning(target)) ?? '');

/**
 * A target, values filled in, that is safe to redirect to; undefined when it is not http or https, or not valid. It stays as
 * written where it can.
 */
export function webTarget(target: string): string | undefined {
  return tryWebTarget(target).location;
}

function tryWebTarget(target: string): { readonly location?: string; readonly reason?: string } {
  try {
    return { location: webLocation(cleaned(target)) };
  } catch (error) {
    if (error instanceof UnsafeLink) return { reason: error.message };
    throw error;
  }
}

/** False for a target that is certainly something else than the web, whatever its values become. */
export function canBeWeb(target: string): boolean {
  const beginning = fixedBeginning(target);
  // Letters alone may become a scheme: `java{{ x }}`.
  return /^https?:/i.test(beginning) || /^[a-z-]*$/i.test(beginning);
}

/** @param target with its character references decoded; may hold Liquid */
export function targetFault(target: string): TargetFault | undefined {
  const shown = target.trim().slice(0, 80);
  const dynamic = LIQUID.test(target);
  const beginning = fixedBeginning(target);
  const scheme = schemeOf(beginning);
  if (scheme !== undefined && UNSAFE.has(scheme)) {
    const message = `A link may lead to http, https, mailto, tel or an app, not to "${shown}".`;
    return { severity: 'error', code: 'link.unsafe', message };
  }
  if (scheme === 'http' || scheme === 'https') {
    // Where values fill in the host, only the message itself can tell; behind the host every value is possible.
    const known = dynamic ? /^[a-z]+:\/\/[^/?#\\]+[/?#\\]/i.exec(beginning)?.[0] : target;
    const withUser = /^[a-z]+:\/\/[^/?#]*@/i.exec(cleaned(target).replace(/\{\{.*?\}\}|\{%.*?%\}/gs, 'x'))?.[0];
    const reason = tryWebTarget(known ?? withUser ?? 'https://values.example').reason;
    return reason === undefined ? undefined : { severity: 'error', code: 'link.invalid', message: reason };
  }
  if (scheme !== undefined) {
    if (APPS.has(scheme)) return undefined;
    const message = `The link "${shown}" has the scheme "${scheme}:", which pennypost does not know. It is sent as written and not tracked.`;
    return { severity: 'warning', code: 'link.unknown_scheme', message };
  }
  if (beginning === '') {
    const message = 'A link has an empty target. Write its destination, or remove it.';
    return dynamic ? undefined : { severity: 'warning', code: 'link.empty', message };
  }
  if (beginning.startsWith('#') || (dynamic && canBeWeb(target))) return undefined;
  const message = /^[\\/]{2}/.test(beginning)
    ? `The link "${shown}" has no scheme, and relative links do not work in mail. Write https: before it.`
    : `The link "${shown}" has no host, and relative links do not work in mail. Write the whole address, with https://.`;
  return { severity: 'warning', code: 'link.relative', message };
}
