import type { ContentProblem } from '../../domain/campaign/index.ts';
import { lineIndex } from './liquid-regions.ts';

/**
 * Merge tags of other systems, which remain in content from an older system and would be sent as they are written. A
 * warning each, with the form that works here. Rows whose marks are usual in ordinary text know a few names only.
 */
const NAMES =
  /^(?:f_?name|first_?name|l_?name|last_?name|full_?name|name|e-?mail(?:_?address)?|unsub(?:scribe)?(?:_?(?:link|url))?)$/i;
const known = (name: string): boolean => NAMES.test(name.trim().replaceAll(' ', '_'));

interface Form {
  readonly pattern: RegExp;
  /** Only with a name that is surely a merge tag. */
  readonly sure: boolean;
}

const FORMS: readonly Form[] = [
  // Mailchimp: *|FNAME|*, *|IF:FNAME|*
  { pattern: /(?<!\*)\*\|([A-Za-z][\w:. ]{0,60})\|\*(?!\*)/g, sure: true },
  // Mailjet [[data:name:"x"]], MailPoet and others [[name]]; [[1]](link) is Markdown.
  { pattern: /\[\[\s*(?:data:|var:|contact\.)?([A-Za-z][\w. ]{0,60})(?::[^\]\n]{0,60})?\s*\]\](?!\()/g, sure: true },
  // Mailgun: %recipient.name%, %unsubscribe_url%
  { pattern: /%recipient[._]([\w.]{1,60})%/gi, sure: true },
  { pattern: /%(?:mailing_list|tag)_(unsubscribe(?:_url|_email)?)%/gi, sure: true },
  // Campaign Monitor: <unsubscribe>Leave</unsubscribe>; ERB, EJS and lodash: <%= name %>; PHP: <?= $name ?>
  { pattern: /<(unsubscribe)>/gi, sure: true },
  { pattern: /<%[=-]?\s*([A-Za-z][\w.]{0,60})\s*-?%>/g, sure: true },
  { pattern: /<\?(?:=|php\s+echo)\s*\$([A-Za-z]\w{0,60})\s*;?\s*\?>/g, sure: true },
  // Salesforce, Iterable, Sendy: %%name%%, %%=v(@name)=%%
  { pattern: /%%\s*=?\s*(?:v\(@)?([A-Za-z][\w. ]{1,60})\)?\s*=?\s*%%/g, sure: true },
  // ActiveCampaign: %FIRSTNAME%
  { pattern: /(?<!%)%([A-Za-z_]{2,40})%(?!%)/g, sure: false },
  // Mandrill and Handlebars: {{{name}}}, {{#if name}}, {{/if}}, {{> part}}
  { pattern: /\{\{\{\s*([\w.]{1,60})\s*\}\}\}/g, sure: true },
  { pattern: /\{\{\s*[#/^>&]\s*([A-Za-z][\w. ]{0,60})\}\}/g, sure: true },
  // Word and GMass: <<First Name>>, «First_Name»
  { pattern: /<<\s*([A-Za-z][\w. ]{0,60})\s*>>/g, sure: true },
  { pattern: /&lt;&lt;\s*([A-Za-z][\w. ]{0,60})\s*&gt;&gt;/g, sure: true },
  { pattern: /«\s*([A-Za-z][\w]{0,60})\s*»/g, sure: false },
  // SendGrid: -name-
  { pattern: /(?<![\w-])-([A-Za-z_]{2,40})-(?![\w-])/g, sure: false },
  // Campaign Monitor [firstname,fallback=friend], and hand-made lists: [FNAME]
  { pattern: /(?<!\[)\[([A-Za-z_]{2,40}|[A-Z][a-z]+ [A-Z][a-z]+)(?:,\s*fallback=[^\]\n]{0,60})?\](?![(:[])/g, sure: false },
  // MailerLite {$name}, Salesforce {!Contact.Name}, JavaScript ${name}, Infusionsoft ~Contact.FirstName~, HubSpot {name}
  { pattern: /\{[$!]([A-Za-z][\w.]{0,60})(?:\|[^}\n]{0,60})?\}/g, sure: true },
  { pattern: /\$\{\s*([A-Za-z][\w.]{0,60})\s*\}/g, sure: true },
  { pattern: /~([A-Z][A-Za-z]{1,30}\.[A-Z]\w{1,40})~/g, sure: true },
  { pattern: /(?<![{$])\{([A-Za-z_]{2,40}|[A-Z][a-z]+ [A-Z][a-z]+)(?:\|[^{}|\n]{0,60})?\}(?!\})/g, sure: false },
  // ##name##, @@name@@, #FNAME#; __name__ is Markdown
  { pattern: /(?<![#\w&])#([A-Z_]{4,40})#(?!\w)/g, sure: false },
  { pattern: /(?:##|@@)([A-Za-z_]{2,40})(?:##|@@)/g, sure: false },
];

/** Warnings that one part may have of this kind. */
const MOST = 20;

/** @param masked the part with its Liquid made harmless, as long as the part itself; the part itself where it is no Liquid */
export function foreignTags(part: ContentProblem['part'], text: string, masked: string): ContentProblem[] {
  const lineOf = lineIndex(text);
  const found = new Map<string, ContentProblem & { readonly line: number }>();
  for (const { pattern, sure } of FORMS) {
    // What begins like Liquid is looked for where Liquid still stands.
    const where = pattern.source.startsWith('\\{\\{') ? text : masked;
    for (const { 0: written, 1: name = '', index } of where.matchAll(pattern)) {
      if (found.size >= MOST) break;
      if (found.has(written) || (!sure && !known(name))) continue;
      const message = `${written} is a merge tag of another system and would be sent as written. ${adviceFor(name)}`;
      found.set(written, { severity: 'warning', code: 'template.foreign_tag', part, line: lineOf(index), message });
    }
  }
  return [...found.values()].sort((one, other) => one.line - other.line);
}

/** Pages that only the other system has. */
const ELSEWHERE =
  /^(?:update_profile|preferences?|archive|webversion|forward|rewards|translate|mc_\w+|list_(?:name|description|phone|url|email|subscribe))$/;

function adviceFor(name: string): string {
  const plain = plainName(name);
  return ELSEWHERE.test(plain) ? 'It has no equivalent here. Remove it.' : `Here it is ${nameHere(plain)}.`;
}

function plainName(name: string): string {
  return name
    .trim()
    .replace(/^html:/i, '')
    .replace(/^(?:contact|subscriber|recipient|user)\./i, '')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replaceAll(/[\s.:-]+/g, '_')
    .toLowerCase();
}

function nameHere(plain: string): string {
  if (/^(?:f|first)_?name$/.test(plain)) return '{{ first_name }}';
  if (/^(?:l|last)_?name$/.test(plain)) return '{{ last_name }}';
  if (/^e_?mail(?:_?address)?$/.test(plain)) return '{{ subscriber.email }}';
  if (plain === 'current_year') return '{{ "now" | date: "%Y" }}';
  if (/^(?:list_)?company$/.test(plain)) return '{{ project.name }}';
  if (/unsub/.test(plain)) return '{{ unsubscribe_url }}';
  if (/^list_address|^(?:company_|sender_)?address/.test(plain)) return '{{ postal_address }}';
  if (/^(?:if|else|elseif|end|endif|unless|each|with|ifnot)(?:_|$)/.test(plain)) return '{% if name %} ... {% endif %}';
  return `{{ ${plain.replaceAll(/\W/g, '_')} }}`;
}
