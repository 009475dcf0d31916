import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { type GeneratedKey, generateKeys } from '../../src/domain/access/index.ts';

/** One signature, as an independent verifier judges it. */
export interface Verdict {
  readonly result: string;
  readonly algorithm: string;
  readonly domain: string;
  readonly selector: string;
  /** Names of `h=` that the header has, in lower case. */
  readonly signed: readonly string[];
}

/** A key of each algorithm: making RSA keys takes time, and specifications of the signer may share them. */
export const testKeys = async (): Promise<readonly (GeneratedKey & { readonly selector: string })[]> =>
  (await generateKeys()).map((key) => ({ ...key, selector: key.algorithm === 'rsa-sha256' ? 'r1' : 'e1' }));

/** Verifies with mailauth. @param records texts of TXT records by name */
export async function verdicts(message: Uint8Array, records: ReadonlyMap<string, string>): Promise<readonly Verdict[]> {
  const { results } = await dkimVerify(Buffer.from(message), {
    resolver: async (name: string, type: string) => {
      const text = type === 'TXT' ? records.get(name) : undefined;
      if (text === undefined) throw Object.assign(new Error(`There is no ${type} of ${name}.`), { code: 'ENOTFOUND' });
      // As name servers answer: strings of 255 characters at most.
      return [text.match(/.{1,255}/g) ?? []];
    },
  });
  return results.map((one) => ({
    result: one.status.result,
    algorithm: String(one.algo),
    domain: String(one.signingDomain),
    selector: String(one.selector),
    signed: String(one.signingHeaders?.keys ?? '')
      .split(':')
      .map((name) => name.trim().toLowerCase()),
  }));
}
