/**
 * Everything the public pages say, in every language, in one place. To add a language, add a key to `messages`: it does
 * not compile until every text is there. The hyphen of the German E‑Mail is U+2011, so that no line breaks in it.
 */
export interface Messages {
  /** The name of the language in itself. */
  readonly languageName: string;
  readonly unsubscribe: {
    readonly title: string;
    /** `address` and `lists` are shown as a separate block below it. */
    readonly question: (projectName: string) => string;
    readonly hint: string;
    readonly button: string;
    readonly address: string;
    readonly lists: (count: number) => string;
  };
  readonly unsubscribed: {
    readonly title: string;
    readonly text: (projectName: string) => string;
    /** When the names cannot be read just now. */
    readonly textWithoutNames: string;
    readonly close: string;
    /** The button that takes it back. */
    readonly undo: string;
    readonly undoHint: string;
  };
  readonly resubscribed: {
    readonly title: string;
    readonly text: (projectName: string) => string;
    readonly textWithoutNames: string;
  };
  readonly already: { readonly title: string; readonly text: (projectName: string) => string };
  readonly unavailable: {
    readonly title: string;
    readonly text: string;
    /** Before anything was pressed. */
    readonly textBefore: string;
    readonly button: string;
  };
  readonly brokenLink: { readonly title: string; readonly text: string; readonly unsubscribe: string };
  /** The page of a test mail's unsubscribe link. */
  readonly test: { readonly title: string; readonly text: string };
  /** The bare address of the server. */
  readonly root: { readonly title: string; readonly text: string };
}

const english: Messages = {
  languageName: 'English',
  unsubscribe: {
    title: 'Unsubscribe',
    question: (projectName) => `Would you like to stop getting these emails from ${projectName}?`,
    hint: 'Nothing has changed yet. It takes effect when you press the button.',
    button: 'Unsubscribe',
    address: 'Address',
    lists: (count) => (count === 1 ? 'List' : 'Lists'),
  },
  unsubscribed: {
    title: 'You are unsubscribed',
    text: (projectName) =>
      `You will get no more of these emails from ${projectName}. One that is already on its way may still arrive.`,
    textWithoutNames: 'You will get no more of these emails. One that is already on its way may still arrive.',
    close: 'You can close this page.',
    undo: 'Subscribe again',
    undoHint: 'Was it a mistake? You can take it back here.',
  },
  resubscribed: {
    title: 'You are subscribed again',
    text: (projectName) => `You will go on getting these emails from ${projectName}. Nothing else has changed.`,
    textWithoutNames: 'You will go on getting these emails. Nothing else has changed.',
  },
  already: {
    title: 'You are already unsubscribed',
    text: (projectName) => `You get no more of these emails from ${projectName}. There is nothing left to do.`,
  },
  unavailable: {
    title: 'Please try again in a moment',
    text: 'Something on our side is not working just now. Nothing has changed; please press the button again in a minute.',
    textBefore: 'Something on our side is not working just now. Nothing has changed; please try again in a minute.',
    button: 'Try again',
  },
  brokenLink: {
    title: 'This link does not work',
    text: 'It may have been cut off when the email was forwarded or copied. Please open it from the original email.',
    unsubscribe:
      'It cannot unsubscribe you. It may have been cut off when the email was forwarded or copied: please use the link in the original email, or in a newer one.',
  },
  test: {
    title: 'This was a test email',
    text: 'Its unsubscribe link works, but belongs to no subscription. In emails to subscribers this page asks before it unsubscribes.',
  },
  root: {
    title: 'This server sends email',
    text: 'There is nothing to see here. If you want to unsubscribe, please use the link in an email that you got.',
  },
};

const german: Messages = {
  languageName: 'Deutsch',
  unsubscribe: {
    title: 'Abmelden',
    question: (projectName) => `Möchten Sie diese E‑Mails von ${projectName} nicht mehr erhalten?`,
    hint: 'Noch hat sich nichts geändert. Die Abmeldung gilt, sobald Sie auf die Schaltfläche drücken.',
    button: 'Abmelden',
    address: 'Adresse',
    lists: (count) => (count === 1 ? 'Liste' : 'Listen'),
  },
  unsubscribed: {
    title: 'Sie sind abgemeldet',
    text: (projectName) =>
      `Sie erhalten diese E‑Mails von ${projectName} nicht mehr. Eine, die schon unterwegs ist, kann noch bei Ihnen ankommen.`,
    textWithoutNames: 'Sie erhalten diese E‑Mails nicht mehr. Eine, die schon unterwegs ist, kann noch bei Ihnen ankommen.',
    close: 'Sie können diese Seite schließen.',
    undo: 'Wieder anmelden',
    undoHint: 'War das ein Versehen? Hier können Sie es rückgängig machen.',
  },
  resubscribed: {
    title: 'Sie sind wieder angemeldet',
    text: (projectName) => `Sie erhalten diese E‑Mails von ${projectName} weiterhin. Sonst hat sich nichts geändert.`,
    textWithoutNames: 'Sie erhalten diese E‑Mails weiterhin. Sonst hat sich nichts geändert.',
  },
  already: {
    title: 'Sie sind bereits abgemeldet',
    text: (projectName) => `Sie erhalten diese E‑Mails von ${projectName} nicht mehr. Es ist nichts weiter zu tun.`,
  },
  unavailable: {
    title: 'Bitte versuchen Sie es gleich noch einmal',
    text: 'Bei uns klappt gerade etwas nicht. Es hat sich nichts geändert; bitte drücken Sie in einer Minute noch einmal.',
    textBefore:
      'Bei uns klappt gerade etwas nicht. Es hat sich nichts geändert; bitte versuchen Sie es in einer Minute noch einmal.',
    button: 'Noch einmal versuchen',
  },
  brokenLink: {
    title: 'Dieser Link funktioniert nicht',
    text: 'Vielleicht wurde er beim Weiterleiten oder Kopieren der E‑Mail abgeschnitten. Bitte öffnen Sie ihn aus der ursprünglichen E‑Mail.',
    unsubscribe:
      'Mit ihm lässt sich nichts abmelden. Vielleicht wurde er beim Weiterleiten oder Kopieren der E‑Mail abgeschnitten: Bitte verwenden Sie den Link in der ursprünglichen oder in einer neueren E‑Mail.',
  },
  test: {
    title: 'Das war eine Test‑E‑Mail',
    text: 'Ihr Abmeldelink funktioniert, gehört aber zu keinem Abonnement: Es gibt niemanden abzumelden. In E‑Mails an Abonnenten fragt diese Seite, bevor sie abmeldet.',
  },
  root: {
    title: 'Dieser Server versendet E‑Mails',
    text: 'Hier gibt es nichts zu sehen. Zum Abmelden verwenden Sie bitte den Link in einer E‑Mail, die Sie erhalten haben.',
  },
};

export const messages = { en: english, de: german } as const satisfies Readonly<Record<string, Messages>>;

export type Language = keyof typeof messages;

const isLanguage = (text: string): text is Language => Object.hasOwn(messages, text);

/**
 * The subscriber's own language if it is supported, otherwise the best one of `Accept-Language` (RFC 9110 section 12.5.4),
 * otherwise English.
 */
export function chooseLanguage(locale: string | undefined, acceptLanguage: string | undefined): Language {
  const accepted = (acceptLanguage ?? '')
    .split(',')
    .map((item) => {
      const [range = '', ...parameters] = item.trim().split(';');
      const weight = parameters.find((parameter) => parameter.trim().startsWith('q='));
      return { range, weight: weight === undefined ? 1 : Number(weight.trim().slice(2)) };
    })
    .filter(({ weight }) => weight > 0)
    .sort((left, right) => right.weight - left.weight);
  for (const tag of [locale ?? '', ...accepted.map(({ range }) => range)]) {
    const language = tag.split(/[-_]/, 1)[0]?.toLowerCase() ?? '';
    if (isLanguage(language)) return language;
  }
  return 'en';
}
