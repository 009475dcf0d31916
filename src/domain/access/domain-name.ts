import { InvalidInput } from '../shared/errors.ts';

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** A host name with at least two labels, as A-labels in lower case (RFC 5890); the URL parser does the IDNA part. */
export function parseDomain(text: string, pointer: string): string {
  const written = text.trim().replace(/\.$/, '');
  const host = /[\s/:@?#%\\[\]]/.test(written) ? '' : (URL.parse(`http://${written}`)?.hostname ?? '');
  const labels = host.split('.');
  if (host.length > 253 || labels.length < 2 || /^\d+$/.test(labels.at(-1)!) || !labels.every((label) => LABEL.test(label))) {
    throw new InvalidInput(`"${text.slice(0, 60)}" is not a domain name such as news.example.com.`, pointer);
  }
  return host;
}

/** Whether a domain is this one or a subdomain of it. */
export const isWithin = (domain: string, own: string): boolean => domain === own || domain.endsWith(`.${own}`);
