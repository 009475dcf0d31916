import { domainToUnicode } from 'node:url';

const A_LABEL_DOMAIN = /\b(?:[a-z0-9-]+\.)*xn--[a-z0-9-]+(?:\.[a-z0-9-]+)*/gi;

/** Domains as people write them: `ada@xn--bcher-kva.example` is shown as `ada@bücher.example`. What is no valid A-label stays. */
export function readableDomains(text: string): string {
  return text.replace(A_LABEL_DOMAIN, (domain) => domainToUnicode(domain) || domain);
}

/** An address of the web to look at, not to follow: Unicode in its domain and its path, nothing that changes how it is read. */
export function readableUrl(url: string): string {
  const [, start = '', rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/[^/?#]*)(.*)$/is.exec(url) ?? [undefined, '', url];
  return readableDomains(start) + rest.replace(/(?:%[89a-f][0-9a-f])+/gi, decoded);
}

function decoded(octets: string): string {
  try {
    const text = decodeURIComponent(octets);
    // Marks that turn the direction of text, and blanks, stay encoded: they would show another address.
    return /^[\p{L}\p{M}\p{N}\p{S}]+$/u.test(text) ? text : octets;
  } catch {
    return octets;
  }
}
