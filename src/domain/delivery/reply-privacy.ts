/** What stands in a stored reply where the recipient's address stood. */
const RECIPIENT = '<recipient>';

/** Signs that servers put between a local part and a domain: as written, escaped, spelled out, and of a return path (VERP). */
const BETWEEN = '(?:@|%40|=40|=|%3d|#|\\s?[([{]\\s?at\\s?[)\\]}]\\s?|[._-]at[._-]|\\sat\\s)';
/** Neither a part of a longer name nor behind one: `ada` is not found in `canada@example.com`. */
const BEGINS = '(?<![\\p{L}\\p{N}._-])';
/** Of the same word: `prvs=1234=`, `SRS0=HHH=TT=`, `bounce+`. */
const PREFIX = '(?:[^\\s<>"\'(),;:]*[=+])?';
const REST = '[^\\s<>"\'(),;:]*';
/** A reply is cut at its end; an address that is cut with it is recognised by this number of characters. */
const SHORTEST_CUT = 4;

/**
 * A reply without the address of its recipient, in whatever case and form the server repeats it: in angle brackets or quotes, escaped,
 * with another domain behind the local part, inside a return path (VERP, SRS, BATV), or cut off at the end. Replies outlive subscribers:
 * they are shown to keys that may not read addresses, and stay when a subscriber is erased.
 */
export function withoutAddress(reply: string, address: string): string {
  const at = address.lastIndexOf('@');
  if (at < 1) return reply;
  const [local, domain] = [address.slice(0, at), address.slice(at + 1)];
  if (!mentions(reply, local)) return withoutCut(reply, address, local, domain);
  const plain = local.replace(/\+.*$/, '');
  const said = [...new Set([local, plain])].filter((one) => one !== '').map(inAnyForm);
  const forms = [
    // Inside a word with the domain first (SRS), then with the local part first.
    ...said.map((one) => `[^\\s<>"'(),;:]*${inAnyForm(domain)}=${one}(?![\\p{L}\\p{N}])${REST}`),
    `${PREFIX}${BEGINS}"?${said[0]}"?(?:@|%40|=40)${REST}`,
    ...said.map((one) => `${PREFIX}${BEGINS}"?${one}"?${BETWEEN}${inAnyForm(domain)}(?![\\p{L}\\p{N}-])${REST}`),
  ];
  const found = new RegExp(`<?(?:${forms.join('|')})>?`, 'giu');
  return withoutCut(reply.replaceAll(found, RECIPIENT), address, local, domain);
}

/** Nearly all replies contain no address: saves the expression. */
function mentions(reply: string, local: string): boolean {
  const first = /[\p{L}\p{N}]+/u.exec(local)?.[0] ?? local;
  return reply.toLowerCase().includes(first.toLowerCase());
}

function withoutCut(reply: string, address: string, local: string, domain: string): string {
  const word = /[^\s<>"'(),;:]+$/.exec(reply)?.[0] ?? '';
  const end = word.slice(word.lastIndexOf('+') + 1).toLowerCase();
  for (const whole of [address, `${local}=${domain}`, `${domain}=${local}`].map((form) => form.toLowerCase())) {
    for (let length = Math.min(whole.length - 1, end.length); length >= SHORTEST_CUT; length -= 1) {
      const cut = whole.slice(0, length);
      // At least the whole first half: the beginning of a name alone may be any word.
      if (!/[@=]/.test(cut) || !end.endsWith(cut)) continue;
      return reply.slice(0, reply.length - word.length).replace(/<$/, '') + RECIPIENT;
    }
  }
  return reply;
}

/** Signs as they are, percent-encoded, or as quoted-printable. */
function inAnyForm(text: string): string {
  return [...text]
    .map((sign) => {
      const plain = sign.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
      if (/[\p{L}\p{N}]/u.test(sign)) return plain;
      const bytes = [...new TextEncoder().encode(sign)].map((byte) => byte.toString(16).padStart(2, '0'));
      return `(?:${plain}|${bytes.map((byte) => `%${byte}`).join('')}|${bytes.map((byte) => `=${byte}`).join('')})`;
    })
    .join('');
}
