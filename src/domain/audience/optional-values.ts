import { parseLocale, parseTimeZone } from './subscriber.ts';

/** Languages by name are looked up in these, beside the language itself (`Français`) and tags (`pt_BR`). */
const NAMED_IN = [
  'en',
  'de',
  'fr',
  'es',
  'it',
  'pt',
  'nl',
  'pl',
  'sv',
  'da',
  'nb',
  'fi',
  'cs',
  'hu',
  'ro',
  'tr',
  'ru',
  'uk',
  'el',
  'ja',
  'zh',
  'ko',
];
/** Variants that exports name in one word or two: `Brazilian Portuguese`, `Simplified Chinese`. */
const VARIANTS = [
  'en-US',
  'en-GB',
  'en-AU',
  'en-CA',
  'fr-CA',
  'fr-CH',
  'de-AT',
  'de-CH',
  'es-ES',
  'es-MX',
  'es-419',
  'pt-BR',
  'pt-PT',
  'nl-BE',
  'zh-Hans',
  'zh-Hant',
];

const OTHER_NAMES: readonly (readonly [name: string, code: string])[] = [
  ['castellano', 'es'],
  ['castilian', 'es'],
  ['flemish', 'nl-BE'],
  ['vlaams', 'nl-BE'],
  ['mandarin', 'zh'],
  ['farsi', 'fa'],
];

/** Reads languages as people and systems write them. Asking Intl costs time, so answers are remembered for as long as the import lasts. */
export class LanguageReader {
  private english: Intl.DisplayNames | undefined;
  private names: ReadonlyMap<string, string> | undefined;
  private regions: ReadonlyMap<string, string> | undefined;

  /** The BCP 47 tag; undefined when the text names no language. */
  read(text: string): string | undefined {
    const tag = text
      .replace(/[.@].*$/, '')
      .replaceAll('_', '-')
      .replace(/\s*-\s*/g, '-');
    const known = this.tagOf(tag);
    if (known !== undefined) return known;
    this.names ??= languageNames();
    const whole = this.names.get(simple(text));
    if (whole !== undefined) return whole;
    const parts = /^(.+?)\s*(?:[(,;/|:]|\s-\s|–)\s*(.+?)\)?$/.exec(text);
    const language = parts === null ? undefined : (this.names.get(simple(parts[1]!)) ?? this.tagOf(parts[1]!));
    if (language === undefined) return undefined;
    // `EN/FR` is two languages.
    if (/^[^(,:]*[;/|]/.test(text)) return language;
    return this.tagOf(`${language}-${this.regionOf(parts![2]!) ?? 'x'}`) ?? language;
  }

  private tagOf(text: string): string | undefined {
    if (!/^[A-Za-z]{2,3}(?:-[A-Za-z\d]{1,8})*$/.test(text)) return undefined;
    try {
      const tag = parseLocale(text);
      this.english ??= displayNames('en', 'language');
      return this.english.of(new Intl.Locale(tag).language) === undefined ? undefined : tag;
    } catch {
      return undefined;
    }
  }

  private regionOf(text: string): string | undefined {
    if (/^[A-Za-z]{2}$/.test(text)) return text;
    this.regions ??= regionNames();
    return this.regions.get(simple(text));
  }
}

/** The IANA name; undefined for anything else, offsets (which know no summer time) included. */
export function readTimeZone(text: string): string | undefined {
  try {
    return parseTimeZone(text);
  } catch {
    return undefined;
  }
}

const simple = (text: string): string =>
  text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '');

function languageNames(): Map<string, string> {
  const names = new Map<string, string>(OTHER_NAMES);
  const english = displayNames('en', 'language');
  const codes = [...VARIANTS, ...twoLetters().map((code) => code.toLowerCase())].filter((code) => english.of(code) !== undefined);
  const add = (name: string | undefined, code: string): void => {
    if (name !== undefined && !names.has(simple(name))) names.set(simple(name), code);
  };
  for (const language of NAMED_IN) {
    const display = displayNames(language, 'language');
    for (const code of codes) add(display.of(code), code);
  }
  for (const code of codes) add(displayNames(code, 'language').of(code), code);
  return names;
}

function regionNames(): Map<string, string> {
  return new Map(
    ['en', 'de', 'fr', 'es'].flatMap((language) => {
      const display = displayNames(language, 'region');
      return twoLetters().flatMap((code) => {
        const name = display.of(code);
        return name === undefined ? [] : [[simple(name), code] as const];
      });
    }),
  );
}

const displayNames = (language: string, type: 'language' | 'region'): Intl.DisplayNames =>
  new Intl.DisplayNames(language, { type, fallback: 'none' });

function twoLetters(): string[] {
  const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
  return letters.flatMap((one) => letters.map((other) => one + other));
}
