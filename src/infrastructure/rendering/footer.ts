/** What marketing mail must show and a part does not show yet. */
export interface FooterNeeds {
  readonly unsubscribe: boolean;
  readonly postalAddress: boolean;
}

const ADDRESS_STYLE = 'margin:0 0 8px;white-space:pre-line;';

/** The project's footer for the HTML part, with only what is missing; Liquid. */
export function htmlFooter(needs: FooterNeeds): string {
  if (!needs.unsubscribe && !needs.postalAddress) return '';
  const address = `<p style="${ADDRESS_STYLE}"><strong style="font-weight:600;">{{ project.name }}</strong>\n{{ postal_address }}</p>`;
  const link = `<p style="margin:0;"><a href="{{ unsubscribe_url }}" style="color:#667085;text-decoration:underline;">{% pennypost_label unsubscribe %}</a></p>`;
  return (
    '\n<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"><tr>' +
    '<td align="center" style="padding:24px 16px 32px;font-family:-apple-system,\'Segoe UI\',Roboto,Helvetica,Arial,sans-serif;' +
    'font-size:12px;line-height:18px;color:#667085;text-align:center;">' +
    (needs.postalAddress ? address : '') +
    (needs.unsubscribe ? link : '') +
    '</td></tr></table>\n'
  );
}

/** The same for the text part. */
export function textFooter(needs: FooterNeeds): string {
  if (!needs.unsubscribe && !needs.postalAddress) return '';
  const address = needs.postalAddress ? '\n{{ project.name }}\n{{ postal_address }}' : '';
  const link = needs.unsubscribe ? '\n{% pennypost_label unsubscribe %}: {{ unsubscribe_url }}' : '';
  return `\n\n----------${address}${link}\n`;
}

const LABELS = {
  unsubscribe: { en: 'Unsubscribe', de: 'Abmelden' },
} as const;

export type Label = keyof typeof LABELS;

export const isLabel = (name: string): name is Label => Object.hasOwn(LABELS, name);

/** A word of the footer in the subscriber's language; English if there is no translation. */
export function labelFor(label: Label, locale: unknown): string {
  return typeof locale === 'string' && /^de(?:[-_]|$)/i.test(locale) ? LABELS[label].de : LABELS[label].en;
}
