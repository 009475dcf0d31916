import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanReply, withoutAddress } from '../../../src/domain/delivery/index.ts';

const ADA = 'Ada.Love+news@example.com';

describe('a reply', () => {
  it.each([
    ['550 5.1.1 <ada.love+news@EXAMPLE.com>: User unknown', '550 5.1.1 <recipient>: User unknown'],
    ['550 ADA.LOVE+NEWS@EXAMPLE.COM', '550 <recipient>'],
    ['550 mailbox ada.love@example.com is gone', '550 mailbox <recipient> is gone'],
    ['550 "ada.love+news"@example.com hi', '550 <recipient> hi'],
    ['550 rcpt=ada.love+news@example.com, proto=ESMTP', '550 <recipient>, proto=ESMTP'],
    ['550 ada.love%2Bnews%40example.com', '550 <recipient>'],
    ['550 ada.love (at) example.com', '550 <recipient>'],
    ['550 <ada.love+news@mail.other.example>', '550 <recipient>'],
    ['550 <bounce+ada.love+news=example.com@x.example> refused', '550 <recipient> refused'],
    ['550 prvs=123=ada.love+news@example.com refused', '550 <recipient> refused'],
    ['550 SRS0=ab=TT=example.com=ada.love+news@fwd.example refused', '550 <recipient> refused'],
    ['550 SRS1=xx=fwd==ab=TT=example.com=ada.love@fwd.example refused', '550 <recipient> refused'],
    ['550 a cut one <ADA.LOVE+NEWS@exam', '550 a cut one <recipient>'],
    ['550 two: <ada.love+news@example.com> <ada.love+news@example.com>', '550 two: <recipient> <recipient>'],
  ])('loses the address of its recipient: %s', (reply, expected) => {
    expect(withoutAddress(reply, ADA)).toBe(expected);
  });

  it.each([
    '550 5.1.1 User unknown',
    '550 mailbox of example.com is full',
    '550 canada.love+news@example.com is somebody else',
    '550 see https://example.com/help',
    '',
  ])('keeps everything else: %s', (reply) => {
    expect(withoutAddress(reply, ADA)).toBe(reply);
  });

  it('never names its recipient, in any case and form, cut or not', () => {
    const word = fc.stringMatching(/^[a-z0-9][a-z0-9.+_'-]{0,20}[a-z0-9]$/);
    const domain = fc.stringMatching(/^[a-z0-9]{1,12}\.(com|example|co\.uk)$/);
    const form = fc.constantFrom(
      (l: string, d: string) => `<${l}@${d}>`,
      (l: string, d: string) => `${l}@${d}`.toUpperCase(),
      (l: string, d: string) => `<${l}@${d.toUpperCase()}>:`,
      (l: string, d: string) => `bounce-7+${l}=${d}@news.example`,
      (l: string, d: string) => `SRS0=aB1c=XY=${d}=${l}@fwd.example`,
    );
    fc.assert(
      fc.property(word, domain, form, fc.string(), fc.string(), (local, host, write, before, after) => {
        const reply = withoutAddress(
          cleanReply(`550 ${before} ${write(local, host)} ${after}`),
          `${local}@${host}`,
        ).toLowerCase();
        expect(reply).not.toContain(`${local}@${host}`);
        expect(reply).not.toContain(`${local}=${host}`);
        expect(reply).not.toContain(`${host}=${local}@`);
      }),
      { numRuns: 500 },
    );
  });
});
