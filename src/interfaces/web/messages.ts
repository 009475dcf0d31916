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
    /** When the link tells nothing about project and address. */
    readonly questionWithoutNames: string;
    readonly hint: string;
    readonly button: string;
    readonly address: string;
    readonly lists: (count: number) => string;
  };
  readonly unsubscribed: {
    readonly title: string;
    readonly text: (projectName: string) => string;
    /** True for valid and for unknown links alike. */
    readonly textWithoutNames: string;
    readonly close: string;
  };
  readonly already: { readonly title: string; readonly text: (projectName: string) => string };
  readonly unavailable: { readonly title: string; readonly text: string; readonly button: string };
  readonly brokenLink: { readonly title: string; readonly text: string };
}

const english: Messages = {
  languageName: 'English',
  unsubscribe: {
    title: 'Unsubscribe',
    question: (projectName) => `Would you like to stop getting these emails from ${projectName}?`,
    questionWithoutNames: 'Would you like to stop getting these emails?',
    hint: 'Nothing has changed yet. It takes effect when you press the button.',
    button: 'Unsubscribe',
    address: 'Address',
    lists: (count) => (count === 1 ? 'List' : 'Lists'),
  },
  unsubscribed: {
    title: 'You are unsubscribed',
    text: (projectName) =>
      `You will get no more of these emails from ${projectName}. One that is already on its way may still arrive.`,
    textWithoutNames:
      'If this link belongs to a subscription, it has ended. Should you still get these emails, use the link in the newest one.',
    close: 'You can close this page.',
  },
  already: {
    title: 'You are already unsubscribed',
    text: (projectName) => `You get no more of these emails from ${projectName}. There is nothing left to do.`,
  },
  unavailable: {
    title: 'Please try again in a moment',
    text: 'Something on our side is not working just now. Nothing has changed; please press the button again in a minute.',
    button: 'Try again',
  },
  brokenLink: {
    title: 'This link does not work',
    text: 'It may have been cut off when the email was forwarded or copied. Please open it from the original email.',
  },
};

const german: Messages = {
  languageName: 'Deutsch',
  unsubscribe: {
    title: 'Abmelden',
    question: (projectName) => `Möchten Sie diese E‑Mails von ${projectName} nicht mehr erhalten?`,
    questionWithoutNames: 'Möchten Sie diese E‑Mails nicht mehr erhalten?',
    hint: 'Noch hat sich nichts geändert. Die Abmeldung gilt, sobald Sie auf die Schaltfläche drücken.',
    button: 'Abmelden',
    address: 'Adresse',
    lists: (count) => (count === 1 ? 'Liste' : 'Listen'),
  },
  unsubscribed: {
    title: 'Sie sind abgemeldet',
    text: (projectName) =>
      `Sie erhalten diese E‑Mails von ${projectName} nicht mehr. Eine, die schon unterwegs ist, kann noch bei Ihnen ankommen.`,
    textWithoutNames:
      'Falls dieser Link zu einem Abonnement gehört, ist es beendet. Sollten Sie weiterhin solche E‑Mails erhalten, verwenden Sie bitte den Link in der neuesten.',
    close: 'Sie können diese Seite schließen.',
  },
  already: {
    title: 'Sie sind bereits abgemeldet',
    text: (projectName) => `Sie erhalten diese E‑Mails von ${projectName} nicht mehr. Es ist nichts weiter zu tun.`,
  },
  unavailable: {
    title: 'Bitte versuchen Sie es gleich noch einmal',
    text: 'Bei uns klappt gerade etwas nicht. Es hat sich nichts geändert; bitte drücken Sie in einer Minute noch einmal.',
    button: 'Noch einmal versuchen',
  },
  brokenLink: {
    title: 'Dieser Link funktioniert nicht',
    text: 'Vielleicht wurde er beim Weiterleiten oder Kopieren der E‑Mail abgeschnitten. Bitte öffnen Sie ihn aus der ursprünglichen E‑Mail.',
  },
};

export const messages = { en: english, de: german } as const satisfies Readonly<Record<string, Messages>>;

export type Language = keyof typeof messages;

const isLanguage = (text: string): text is Language => Object.hasOwn(messages, text);

/**
 * The subscriber's own language where we speak it, else the best one of `Accept-Language` (RFC 9110 section 12.5.4), else
 * English.
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
