/** Whatever stands around an "@", plain or as servers encode it in links (%40), up to what cannot be part of an address. */
const ADDRESS = /"[^"\n]{1,64}"(?:@|%40)[^\s<>"'(),;[\]]+|[^\s<>"'(),;:[\]]+(?:@|%40)(?:\[[^\]\s]*\]|[^\s<>"'(),;:[\]]+)/giu;

/** A text for a key that may not see addresses. */
export function withoutAddresses(text: string): string {
  return text.replace(ADDRESS, '(address)');
}
