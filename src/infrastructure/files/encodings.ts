/** What may be guessed from bytes: the label for decoding, and what the detector calls it. The first wins among equals. */
export interface Candidate {
  readonly label: string;
  readonly detected: string;
  /** How common it is among exported tables, next to windows-1252. */
  readonly share: number;
}

export const CANDIDATES: readonly Candidate[] = [
  { label: 'windows-1252', share: 1, detected: 'Windows-1252' },
  { label: 'iso-8859-15', share: 0.6, detected: 'Windows-1252' },
  { label: 'windows-1250', share: 0.7, detected: 'Windows-1250' },
  { label: 'iso-8859-2', share: 0.7, detected: 'ISO-8859-2' },
  { label: 'windows-1254', share: 0.6, detected: 'Windows-1254' },
  { label: 'windows-1257', share: 0.6, detected: 'Windows-1257' },
  { label: 'macintosh', share: 0.7, detected: 'MacRoman' },
  { label: 'windows-1251', share: 0.9, detected: 'Windows-1251' },
  { label: 'koi8-r', share: 0.6, detected: 'KOI8-R' },
  { label: 'iso-8859-5', share: 0.3, detected: 'ISO-8859-5' },
  { label: 'windows-1253', share: 0.6, detected: 'Windows-1253' },
  { label: 'iso-8859-7', share: 0.4, detected: 'ISO-8859-7' },
  { label: 'windows-1255', share: 0.5, detected: 'Windows-1255' },
  { label: 'windows-1256', share: 0.4, detected: 'Windows-1256' },
  { label: 'shift_jis', share: 0.6, detected: 'SHIFT_JIS' },
  { label: 'euc-jp', share: 0.5, detected: 'EUC-JP' },
  { label: 'gb18030', share: 0.6, detected: 'GB18030' },
  { label: 'big5', share: 0.6, detected: 'Big5' },
  { label: 'euc-kr', share: 0.6, detected: 'EUC-KR' },
  { label: 'ibm850', share: 0.5, detected: 'CP850' },
  { label: 'ibm852', share: 0.4, detected: 'CP852' },
  { label: 'ibm866', share: 0.4, detected: 'IBM866' },
];

/** What "CSV (MS-DOS)" of a spreadsheet writes, and the Encoding Standard does not know: the characters from 128. */
const TABLES: ReadonlyMap<string, string> = new Map([
  [
    'ibm850',
    'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0',
  ],
  [
    'ibm852',
    'ÇüéâäůćçłëŐőîŹÄĆÉĹĺôöĽľŚśÖÜŤťŁ×čáíóúĄąŽžĘę¬źČş«»░▒▓│┤ÁÂĚŞ╣║╗╝Żż┐└┴┬├─┼Ăă╚╔╩╦╠═╬¤đĐĎËďŇÍÎě┘┌█▄ŢŮ▀ÓßÔŃńňŠšŔÚŕŰýÝţ´\u00ad˝˛ˇ˘§÷¸°¨˙űŘř■\u00a0',
  ],
]);

/** Bytes to text, piece by piece. */
export interface Decoder {
  readonly encoding: string;
  decode(piece?: Uint8Array, options?: { readonly stream?: boolean }): string;
}

/** @throws RangeError for a label that neither the Encoding Standard nor the tables here contain */
export function decoderFor(label: string): Decoder {
  const own = /^(?:cp|ibm|dos|oem)?[-_ ]?(85[02])$/i.exec(label.trim())?.[1];
  const table = own === undefined ? undefined : TABLES.get(`ibm${own}`);
  if (own === undefined || table === undefined) return new TextDecoder(label.trim().replace(/^mac[-_ ]?roman$/i, 'macintosh'));
  const decode = (piece: Uint8Array = new Uint8Array()): string =>
    Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
      .toString('latin1')
      .replace(/[\x80-\xff]/g, (byte) => table[byte.charCodeAt(0) - 0x80]!);
  return { encoding: `ibm${own}`, decode };
}

/**
 * Letters beyond ASCII that the names of one language are written with, and a weight for how many people write it. A file is
 * mostly about one country, and an encoding whose letters no language has together is the wrong one ("Dvoøák").
 */
export const ALPHABETS: readonly (readonly [letters: string, weight: number])[] = [
  ['äöüß', 1], // German
  ['àâæçéèêëîïôœùûüÿ', 1], // French
  ['áéíóúüñºª', 1], // Spanish
  ['áàâãçéêíóôõúºª', 1], // Portuguese
  ['àèéìíîòóùºª', 1], // Italian
  ['àçéèíïòóúüºª', 0.9], // Catalan
  ['äëéèïöüóêáí', 1], // Dutch
  ['åäöé', 1], // Swedish, Finnish
  ['åæøéü', 1], // Danish, Norwegian
  ['áæðéíóöþúý', 0.6], // Icelandic
  ['ąćęłńóśźż', 1], // Polish
  ['áčďéěíňóřšťúůýž', 1], // Czech
  ['áäčďéíĺľňóôŕšťúýž', 1], // Slovak
  ['áéíóöőúüű', 1], // Hungarian
  ['ăâîșțşţ', 1], // Romanian
  ['čćđšž', 1], // Croatian, Slovene
  ['çğıi\u0307öşüâîû', 1], // Turkish
  ['ąčęėįšųūž', 0.9], // Lithuanian
  ['āčēģīķļņšūž', 0.9], // Latvian
  ['äõöüšž', 0.8], // Estonian
];

/** Scripts that do not stand together in one word, and the letters that make up two thirds of what is written in them. */
export const SCRIPTS: readonly { readonly letters: RegExp; readonly common?: string }[] = [
  { letters: /\p{Script=Latin}/u },
  { letters: /\p{Script=Greek}/u, common: 'αάοόιίεέτσςνηήυύρπκλ' },
  { letters: /\p{Script=Cyrillic}/u, common: 'оаеиінтсрвлкйя' },
  { letters: /\p{Script=Hebrew}/u, common: 'יוהלאמרתנבשם' },
  { letters: /\p{Script=Arabic}/u, common: 'املينرةدعهحبأ' },
];
