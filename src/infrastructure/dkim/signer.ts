/**
 * DKIM signatures (RFC 6376): relaxed/relaxed, one per key, of which the body is hashed once. RSA-2048 takes the thread pool 0.9 ms on busy cores,
 * so several messages are signed at once while the event loop composes others.
 */
import { createHash, createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { MessageSigner, SigningKey } from '../../application/delivery/signing.ts';
import { bodyHash, bodyStart, type HeaderField, headerFields, relaxedHeader } from './canonical.ts';

/** What signatures cover, where it is there: what receivers show, and what RFC 8058 section 4 asks for one-click unsubscribe. */
const SIGNED = [
  'From',
  'To',
  'Cc',
  'Reply-To',
  'Subject',
  'Date',
  'Message-ID',
  'In-Reply-To',
  'References',
  'MIME-Version',
  'Content-Type',
  'Content-Transfer-Encoding',
  'List-Id',
  'List-Unsubscribe',
  'List-Unsubscribe-Post',
  'Feedback-ID',
] as const;

const LINE_LENGTH = 76;

interface LoadedKey extends Pick<SigningKey, 'selector' | 'algorithm'> {
  readonly key: KeyObject;
}

/** Signs for one domain with all of its keys. */
export class DkimSigner implements MessageSigner {
  readonly #domain: string;
  readonly #keys: readonly LoadedKey[];

  /** @param domain in A-labels @throws Error for a private key that is no PKCS #8 in PEM */
  constructor(domain: string, keys: readonly SigningKey[]) {
    this.#domain = domain;
    this.#keys = keys.map(({ selector, algorithm, privateKey }) => ({ selector, algorithm, key: createPrivateKey(privateKey) }));
  }

  async sign(content: Uint8Array, at: Date): Promise<Uint8Array> {
    const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
    const body = bodyStart(bytes);
    const { names, canonical } = covered(headerFields(bytes, body));
    const hashed = bodyHash(bytes, body);
    const time = Math.floor(at.getTime() / 1_000);
    const fields = await Promise.all(
      this.#keys.map(async ({ selector, algorithm, key }) => {
        const unsigned = folded([
          'v=1;',
          `a=${algorithm};`,
          'c=relaxed/relaxed;',
          `d=${this.#domain};`,
          `s=${selector};`,
          `t=${time};`,
          `bh=${hashed};`,
          ...names.map((name, index) => `${index === 0 ? 'h=' : ''}${name}${index === names.length - 1 ? ';' : ':'}`),
        ]);
        const own = relaxedHeader({ name: 'dkim-signature', value: `${unsigned}\r\n b=` });
        const signature = await signed(key, Buffer.from(`${canonical}${own}`, 'latin1'));
        return `DKIM-Signature:${unsigned}\r\n b=${signature.replace(/.{72}(?=.)/g, '$&\r\n ')}\r\n`;
      }),
    );
    return Buffer.concat([Buffer.from(fields.join(''), 'latin1'), bytes]);
  }
}

/** Of a name that stands several times, the last is signed first (RFC 6376 section 5.4.2). */
function covered(fields: readonly HeaderField[]): { readonly names: readonly string[]; readonly canonical: string } {
  const names: string[] = [];
  let canonical = '';
  for (const name of SIGNED) {
    for (const field of fields.filter((one) => one.name === name.toLowerCase()).reverse()) {
      names.push(name);
      canonical += `${relaxedHeader(field)}\r\n`;
    }
    // Signed once more than it is there: a second From that is added later breaks the signature.
    if (name === 'From') names.push(name);
  }
  return { names, canonical };
}

/** Words of a field, with a line break before each that would make a line too long. */
function folded(words: readonly string[]): string {
  let text = '';
  let column = 'DKIM-Signature:'.length;
  for (const word of words) {
    if (column + 1 + word.length > LINE_LENGTH) {
      text += '\r\n';
      column = 0;
    }
    text += ` ${word}`;
    column += 1 + word.length;
  }
  return text;
}

function signed(key: KeyObject, data: Buffer): Promise<string> {
  const ed25519 = key.asymmetricKeyType === 'ed25519';
  // RFC 8463 section 3: Ed25519 signs the SHA-256 of the data.
  const input = ed25519 ? createHash('sha256').update(data).digest() : data;
  return new Promise((resolve, reject) =>
    sign(ed25519 ? null : 'sha256', input, key, (error, signature) =>
      error === null ? resolve(signature.toString('base64')) : reject(error),
    ),
  );
}
