import { plainName } from './column-names.ts';

/** Why a subscriber is not mailed any more, according to another system. */
export type LeftBecause = 'unsubscribe' | 'hard_bounce' | 'complaint';

/**
 * What a column of an export says: `state` holds words such as `unsubscribed`; `agrees` is true for subscribers that may be mailed;
 * `refuses` is true, or holds a time or a reason, for the others.
 */
export type StatusKind = 'state' | 'agrees' | LeftBecause;

/** Compared like the names of other columns. Each stands in the export of a known system, or is its translation. */
const COLUMNS: readonly (readonly [kind: StatusKind, names: string])[] = [
  [
    'state',
    `status, email status, e-mail status, contact status, subscriber status, subscription status, subscription, member status, user status,
     marketing status, email marketing status, email marketing: status, email subscription status, mail status, newsletter status, list status,
     delivery status, state, email delivery status, email permission status, permission status, opt-in status, email state, email marketing consent,
     email consent status, marketing consent status, abostatus, abo-status, newsletterstatus, anmeldestatus, statut, statut email,
     statut d'abonnement, estado, estado de suscripción, stato, stato iscrizione, stav, stan, tilstand, situação, статус, 状态, 订阅状态, 狀態, 状態, 配信状況, ステータス, 상태, delivery,
     email validity, verification result, subscriptions`,
  ],
  [
    'agrees',
    `subscribed, is subscribed, subscribed to emails, subscribed_to_emails, accepts marketing, accepts email marketing, opt in, opted in, email opt in,
     email opted in, marketing opt in, newsletter opt in, newsletter, newsletter subscription, newsletter subscriber, email marketing,
     marketing consent, email consent, consent, gdpr, gdpr consent, marketing emails, marketing permission, marketing permissions, email permission,
     permission, permission to email, can email, may email, allow email, allow emails, allow marketing, receive emails, receives emails,
     wants newsletter, confirmed, is confirmed, email confirmed, double opt in, doi, enabled, active, is active,
     einwilligung, werbeeinwilligung, newsletter abonniert, newsletter gewünscht, angemeldet, aktiv, bestätigt, abonné, inscrit,
     consentement, accepte newsletter, accepte le marketing, suscrito, suscripción, acepta marketing, consentimiento, iscritto, consenso,
     accetta marketing, aceita marketing, inscrito, toestemming, ingeschreven, aangemeld, prenumererar, samtycke, samtykke, zgoda, souhlas`,
  ],
  [
    'unsubscribe',
    `unsubscribed, is unsubscribed, unsubscribe, unsubscribed at, unsubscribed on, unsubscribe date, unsubscribe time, unsubscribed date, unsub time,
     unsub reason, unsubscribe reason, unsubscribed from all email, unsubscribed from all emails, unsubscribed from emails, global unsubscribe,
     opt out, opted out, is opted out, email opt out, email opted out, has opted out of email, opted out of email, opt out date, opt out time,
     opted out at, blocklisted, blacklisted, is blacklisted, email blocklisted, email blacklisted, email blacklist, email blocklist, blacklist, blocklist, suppressed, is suppressed,
     suppression reason, email suppressions, suppressions, do not email, do not contact, do not mail, email disabled, disable email,
     emails disabled, disabled, no email, no mail, marketing opt out, deleted, is deleted, abgemeldet, abgemeldet am, abmeldedatum, abmeldung,
     austragungsdatum, ausgetragen, widerruf, widerrufen, gesperrt, sperrliste, keine werbung, werbesperre, désabonné, désinscrit,
     désinscription, date de désinscription, désinscrit le, dado de baja, baja, fecha de baja, disiscritto, data disiscrizione, cancellato,
     descadastrado, descadastro, uitgeschreven, afgemeld, avregistrerad, avmeldt, afmeldt, wypisany, odhlášen`,
  ],
  [
    'hard_bounce',
    `bounced, is bounced, bounced at, bounce date, bounce reason, bounce type, hard bounce, hard bounced, hard bounces, email bounced,
     email bounced date, email bounced reason, email hard bounce reason, hard bounce reason, cleaned, clean time, clean campaign title,
     clean campaign id, invalid email, email invalid, is invalid, undeliverable, unzustellbar, invalide, rebotado`,
  ],
  [
    'complaint',
    'complained, complaint, complaint date, spam complaint, marked as spam, marked_as_spam, spam, is spam, spam report, reported spam, plainte',
  ],
];

/** What a word says, by how it begins once it is plain; the first that fits. */
const WORDS: readonly (readonly [says: LeftBecause | 'stays', beginnings: string])[] = [
  ['complaint', 'complain, spam, abuse, junk, marked as spam, reported'],
  [
    'hard_bounce',
    'bounce, hard bounce, soft bounce, cleaned, undeliver, invalid, non existent, does not exist, unzustellbar, rebot, dead, deceased, verstorben, décédé, fallecido',
  ],
  [
    'unsubscribe',
    `unsub, un subscribed, not subscribed, non subscribed, nonsubscribed, never subscribed, no longer, blocked, blocklist, blacklist, suppress, erased, dnc, stopped, non marketing, nonmarketing, opt out, opted out, optout,
     disabled, deleted, removed, cancel, canceled, inactive, archived, unconfirmed, not confirmed, pending, awaiting, temporary hold, unverified, do not, dont,
     declin, denied, deny, refus, reject, revok, withdraw, withdrawn, expired, left, transactional, quarantin, no consent, none given, no permission,
     not opted, abgemeldet, abbestellt, ausgetragen, gekündigt, gesperrt, inaktiv, widerruf, nicht, unbestätigt, désabonn, désinscri, non abonn,
     non inscrit, inactif, bloqué, dado de baja, de baja, no suscrito, cancelad, inactiv, bloquead, rechazad, disiscri, non iscritt, cancellat,
     inattiv, bloccat, uitgeschreven, afgemeld, inactief, geblokkeerd, avregistrerad, avslutad, avmeldt, afmeldt, wypisan, odhláš, leiratkozott,
     descadastr, gelöscht, disattivat, отписан, отказ, 退订, 退訂, 已退订, 取消订阅, 配信停止, 解除, 購読解除, 수신거부, 수신 거부`,
  ],
  [
    'stays',
    `subscrib, active, allow, enabled, confirm, opted in, opt in, optin, verified, valid, yes, true, ok, deliver, engaged, healthy, angemeldet,
     aktiv, bestätigt, abonn, inscrit, actif, suscrit, activ, iscritt, attiv, ingeschreven, aangemeld, prenumer, zapisan, подписан`,
  ],
];
const NO =
  'no, n, false, f, 0, off, never, none, nein, non, nej, nei, nie, nee, não, nao, nem, ne, nu, hayır, нет, falsch, faux, falso, unchecked, aus, x0';
/** Empty as dates and counts are. */
const NOTHING = /^[-0.:/\s[\]{}]*$/;

const parted = (names: string): string[] => names.split(',').map(plainName);
const KINDS: ReadonlyMap<string, StatusKind> = new Map(
  COLUMNS.flatMap(([kind, names]) => parted(names).map((name) => [name, kind] as const)).toReversed(),
);
const BEGINNINGS = WORDS.flatMap(([says, words]) => parted(words).map((word) => ({ says, word })));
const DENIALS: ReadonlySet<string> = new Set(parted(NO));

/** About something else than mail, or about mail and not about whether there may be any. */
const ELSEWHERE =
  /sms|phone|mobile|whatsapp|push|call|fax|postal|\bletter|direct ?mail|url|link|hash|token|campaign|template|subject|count|rate|score|total|number|ratio|clicks|opens/;
/** Parts of names by which other systems say it, one pattern a kind, on the words of a name. The first that fits. */
const PARTS: readonly (readonly [kind: StatusKind, pattern: RegExp])[] = [
  ['complaint', /\bcomplain|\bspam (?:report|complain)|\babuse\b/],
  ['hard_bounce', /\bbounced?\b(?! back)|\bhard bounce|\bundeliverable\b/],
  [
    'unsubscribe',
    /\bun ?subscri|\bunsub\b|\bopt(?:ed)? ?out|\b(?:block|black) ?list|\bsuppress|\b(?:do not|dont|don t|no) (?:e ?)?(?:mail|market|contact|allow|bulk|solicit)|\bdonot(?:bulk)?(?:e?mail|contact)|\bdnc\b|\bdeleted at\b|\babmeld|\babgemeldet|\bdésabonn|\bdésinscri|\blista nera\b/,
  ],
  [
    'state',
    /\b(?:mailing|mailing ?list|list|member|contact|lead) ?status\b|\b(?:e ?mail|mail|marketing|newsletter|subscri\w+|sub|consent|opt ?in) ?(?:list )?(?:consent )?(?:status|state)\b/,
  ],
  [
    'agrees',
    /\bsubscribed$|\bopt(?:ed)? ?in$|\b(?:accepts?|receives?|wants?|send me|allows?|may|can) (?:e ?)?(?:mails?|marketing|newsletters?)|\b(?:e ?mails?|marketing|newsletter) (?:e ?mails? )?(?:allowed|enabled|consent|permission|accepted|agreed|contact|anmeldung)\b|\b(?:mailable|contactable)\b/,
  ],
];

/** What a column of this name says about being mailed; undefined where it says nothing. */
export function statusKind(name: string): StatusKind | undefined {
  const known = KINDS.get(plainName(name));
  if (known !== undefined || name.length > 60) return known;
  const words = name
    .normalize('NFC')
    .replace(/(?<=\p{Ll})(?=\p{Lu})/gu, ' ')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
  return ELSEWHERE.test(words) ? undefined : PARTS.find(([, pattern]) => pattern.test(words))?.[0];
}

/** A value that can mean nothing else, in whatever column it stands. */
const UNMISTAKABLE =
  /^(?:un[- ]?subscribed|(?:block|black)[- ]?listed|suppressed|opted[- _]?out|hard[- _]?bounced?|spam complaint|complained|do not (?:e-?mail|contact|mail)|abgemeldet|désabonnée?|désinscrite?|dad[oa] de baja|disiscritt[oa]|uitgeschreven|avregistrerad|退订|配信停止)$/i;
/** States by list, as pennypost's own export has them: `letter=unsubscribed`. */
const BY_LIST = /(?:^|\s)[a-z\d-]+=(?:unsubscribed|unconfirmed)(?:\s|$)/;

/** Columns of free text. */
const OWN_WORDS = /name|city|town|ort|street|address|company|note|comment|remark|title|subject|message/i;

/** Why the subscriber is not mailed any more, by a cell of a column whose name says nothing about that. */
export function unmistakably(column: string, cell: string): LeftBecause | undefined {
  const text = cell.trim();
  if (text.length > 40 || !UNMISTAKABLE.test(text) || OWN_WORDS.test(column)) return undefined;
  return leftBecause('state', text) ?? 'unsubscribe';
}

/** Why the subscriber is not mailed any more, by one cell of such a column; undefined when the cell does not say so. */
export function leftBecause(kind: StatusKind, cell: string): LeftBecause | undefined {
  if (kind === 'state' && BY_LIST.test(cell)) return 'unsubscribe';
  const plain = plainName(cell);
  const denied = DENIALS.has(plain) || NOTHING.test(cell);
  if (kind === 'agrees' && denied) return cell.trim() === '' ? undefined : 'unsubscribe';
  if (denied) return undefined;
  const word = BEGINNINGS.find((one) => plain.startsWith(one.word));
  if (kind === 'state' || kind === 'agrees') return word === undefined || word.says === 'stays' ? undefined : word.says;
  // `unsubscribed: subscribed` is contradictory and gives no result; any other value is a yes, a time or a reason.
  if (word?.says === 'stays' && !/^(?:yes|true|ok)/.test(plain)) return undefined;
  return kind;
}

/** Files that other systems export for subscribers that left, by their names: `unsubscribed_members_export_8f2.csv`. */
const FILES: readonly (readonly [LeftBecause, RegExp])[] = [
  ['hard_bounce', /^cleaned\b|\b(?:bounces?|bounced|invalid)\b/],
  ['complaint', /\b(?:complaints?|complained|complainers)\b|^spam\b|\bspam reports?\b/],
  [
    'unsubscribe',
    /\bunsubscribe[sd]?\b|\bunsubscribers\b|\bnon ?subscribed\b|\bsuppress(?:ed|ions?)\b|\b(?:block|black) ?list(?:ed)?\b|^blocked\b|\bopt(?:ed)? ?outs?\b|\bdo not (?:e ?)?(?:mail|contact)\b|\bdnc\b|\babmeldungen\b|\babgemeldete?\b|\bdésabonnée?s\b|\bdésinscrit|\bbajas\b|^archived members\b/,
  ],
];
/** "people-without-bounces.csv" and "subscribed_unsubscribe_test.csv" hold others. */
const WITHOUT = /^(?:subscribed|active|confirmed)\b|\b(?:no|not|without|ohne|sans|sin|minus|except|excl|excluding)\b/;

export function fileLeftBecause(fileName: string): LeftBecause | undefined {
  const words = fileName
    .normalize('NFC')
    .replace(/\.[a-z\d]+$/i, '')
    .replace(/(?<=\p{Ll})(?=\p{Lu})/gu, ' ')
    .toLowerCase()
    .replace(/[^\p{L}]+/gu, ' ')
    .trim();
  return WITHOUT.test(words.replace('do not', '')) ? undefined : FILES.find(([, pattern]) => pattern.test(words))?.[0];
}
