/** Whatever stands around an "@", plain or as servers encode it in links (%40), up to what cannot be part of an address. */
const ADDRESS = /"[^"\n]{1,64}"(?:@|%40)[^\s<>"'(),;[\]]+|[^\s<>"'(),;:[\]]+(?:@|%40)(?:\[[^\]\s]*\]|[^\s<>"'(),;:[\]]+)/giu;

/** A text for somebody who may not see people. */
export function withoutAddresses(text: string): string {
  return text.replace(ADDRESS, '(address)');
}
