import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromLatin1, latin1 } from '../base/bytes.ts';
import type { Carriage, ConversionPlan } from './carriage.ts';
import { Converter, planConversion, Survey } from './carriage.ts';
import { fuzz } from './carriage.fuzz.ts';
import { scanMessage } from './scan.ts';
import { decodeTransfer } from './transfer.ts';
import { Base64Encoder, QuotedPrintableEncoder } from './transfer-encoder.ts';

const text = (...lines: string[]): string => lines.join('\r\n');

function plan(message: string, to: Carriage = '7bit'): ConversionPlan {
  const octets = fromLatin1(message);
  const survey = new Survey(scanMessage(octets).root);
  survey.push(octets);
  return planConversion(survey.end(), to);
}

/** The message converted, or why it is not. */
function converted(message: string, to: Carriage = '7bit'): string {
  const made = plan(message, to);
  if (made.kind === 'impossible') return made.why;
  if (made.kind === 'unneeded') return message;
  const converter = new Converter(made);
  return latin1(Buffer.concat([...converter.push(fromLatin1(message)), ...converter.end()]));
}

const HEAD = text('MIME-Version: 1.0', 'Content-Type: text/plain; charset=utf-8', '');
const EIGHT = 'Content-Transfer-Encoding: 8bit\r\n';

const cases: readonly {
  readonly name: string;
  readonly to?: Carriage;
  readonly message: string;
  readonly want: string;
}[] = [
  {
    name: 'text becomes quoted-printable (RFC 6152 §3)',
    message: text(`${HEAD}${EIGHT}`, 'Gr\xc3\xbc\xc3\x9fe from the other side = \t', '--', '.', ''),
    want: text(
      `${HEAD}Content-Transfer-Encoding: quoted-printable\r\n`,
      'Gr=C3=BC=C3=9Fe from the other side =3D =09',
      '=2D-',
      '.',
      '',
    ),
  },
  {
    name: 'text that would hardly be readable becomes base64',
    message: text(`${HEAD}${EIGHT}`, '\xe4\xb8\xad\xe6\x96\x87', ''),
    want: text(`${HEAD}Content-Transfer-Encoding: base64\r\n`, '5Lit5paHDQo=', ''),
  },
  {
    name: 'other types become base64',
    message: text(
      'MIME-Version: 1.0',
      'Content-Type: image/png',
      'content-transfer-encoding:8bit',
      '',
      '\xff',
      '',
    ),
    want: text(
      'MIME-Version: 1.0',
      'Content-Type: image/png',
      'Content-Transfer-Encoding: base64',
      '',
      '/w0K',
      '',
    ),
  },
  {
    name: 'a message without MIME gets it (RFC 1428 §3)',
    message: text('Subject: x', '', 'aaaaaaaaaaaaaaaaaaaaa\xe4', ''),
    want: text(
      'Subject: x',
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=unknown-8bit',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'aaaaaaaaaaaaaaaaaaaaa=E4',
      '',
    ),
  },
  {
    name: 'what only says that it is 8bit is labelled anew (RFC 2045 §6.4)',
    message: text(`${HEAD}${EIGHT}`, 'x', ''),
    want: text(`${HEAD}Content-Transfer-Encoding: 7bit\r\n`, 'x', ''),
  },
  {
    name: 'of several parts only those that need it, composite ones are labelled (RFC 2046 §5.1)',
    message: text(
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary=a',
      'Content-Transfer-Encoding: 8bit',
      '',
      'pr\xe4',
      '--a',
      '',
      'one',
      '--a',
      'Content-Type: application/x',
      'Content-Transfer-Encoding: 8bit',
      '',
      '\xe4',
      '--a--',
      '',
    ),
    want: text(
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary=a',
      'Content-Transfer-Encoding: 7bit',
      '',
      'pr#',
      '--a',
      '',
      'one',
      '--a',
      'Content-Type: application/x',
      'Content-Transfer-Encoding: base64',
      '',
      '5A==',
      '',
      '--a--',
      '',
    ),
  },
  {
    name: 'an encapsulated message is converted inside (RFC 2046 §5.2.1)',
    message: text(
      'MIME-Version: 1.0',
      'Content-Type: message/rfc822',
      EIGHT,
      `${HEAD}${EIGHT}`,
      'aaaaaaaaaa\xe4',
      '',
    ),
    want: text(
      'MIME-Version: 1.0',
      'Content-Type: message/rfc822',
      'Content-Transfer-Encoding: 7bit\r\n',
      `${HEAD}Content-Transfer-Encoding: quoted-printable\r\n`,
      'aaaaaaaaaa=E4',
      '',
    ),
  },
  {
    name: 'an encapsulated message/global is encoded whole (RFC 6532 §3.7)',
    message: text('MIME-Version: 1.0', 'Content-Type: message/global', '', 'Subject: \xc3\xa4', ''),
    want: text(
      'MIME-Version: 1.0',
      'Content-Type: message/global',
      'Content-Transfer-Encoding: base64',
      '',
      'U3ViamVjdDogw6QNCg==',
      '',
    ),
  },
  {
    name: 'a signed part is left as it is beside one that is converted (RFC 1847 §2.1)',
    message: text(
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary=a',
      '',
      '--a',
      'Content-Type: multipart/signed; boundary=b',
      '',
      '--b',
      '',
      'signed',
      '--b--',
      '--a',
      '',
      'aaaaaaaaaaaa\xe4',
      '--a--',
    ),
    want: text(
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary=a',
      '',
      '--a',
      'Content-Type: multipart/signed; boundary=b',
      '',
      '--b',
      '',
      'signed',
      '--b--',
      '--a',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'aaaaaaaaaaaa=E4',
      '--a--',
    ),
  },
  {
    name: 'a signed part with 8-bit octets makes it impossible (RFC 1847 §2.1)',
    message: text(
      'Content-Type: multipart/signed; boundary=b',
      'Content-Transfer-Encoding: 8bit',
      '',
      '--b',
      '',
      'sign\xe4d',
      '--b--',
    ),
    want: 'sealed',
  },
  {
    name: 'an encrypted one too (RFC 1847 §2.2)',
    message: text('Content-Type: multipart/encrypted; boundary=b', '', '--b', '', '\xe4', '--b--'),
    want: 'sealed',
  },
  { name: 'a header beyond ASCII', message: text('Subject: \xe4', '', 'x'), want: 'header' },
  {
    name: 'a message/partial, which has no encoding but 7bit (RFC 2046 §5.2.2)',
    message: text('Content-Type: message/partial; number=1; total=2; id=x', '', '\xe4'),
    want: 'structure',
  },
  {
    name: 'an encoding that nobody knows',
    message: text('Content-Transfer-Encoding: x-odd', '', '\xe4'),
    want: 'structure',
  },
  {
    name: 'binary for a hop that takes 8bit: base64 where there are no lines (RFC 3030 §3)',
    to: '8bit',
    message: text(
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary=a',
      'Content-Transfer-Encoding: binary',
      '',
      '--a',
      'Content-Type: image/x',
      'Content-Transfer-Encoding: binary',
      '',
      '\0\n\xff',
      '--a',
      'Content-Transfer-Encoding: binary',
      '',
      'l\xe4nes',
      '--a--',
    ),
    want: text(
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary=a',
      'Content-Transfer-Encoding: 8bit',
      '',
      '--a',
      'Content-Type: image/x',
      'Content-Transfer-Encoding: base64',
      '',
      'AAr/',
      '',
      '--a',
      'Content-Transfer-Encoding: 8bit',
      '',
      'l\xe4nes',
      '--a--',
    ),
  },
  {
    name: 'a line too long for 8bit (RFC 2045 §2.8)',
    to: '8bit',
    message: text(`${HEAD}Content-Transfer-Encoding: binary\r\n`, 'x'.repeat(999), ''),
    want: text(
      `${HEAD}Content-Transfer-Encoding: quoted-printable\r\n`,
      ...Array.from({ length: 13 }, () => `${'x'.repeat(75)}=`),
      'x'.repeat(24),
      '',
    ),
  },
  { name: 'nothing to do', message: text(HEAD, 'x', ''), want: text(HEAD, 'x', '') },
];
for (const { name, to, message, want } of cases)
  test(`${name}${to === undefined ? '' : ` (to ${to})`}`, () => assert.equal(converted(message, to), want));

test('whatever the octets of a part, in quoted-printable and base64, they come back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 90 }), (octets, size) => {
      for (const [name, encoder] of [
        ['quoted-printable', new QuotedPrintableEncoder()],
        ['base64', new Base64Encoder()],
      ] as const) {
        const pieces: Uint8Array[] = [];
        for (let at = 0; at < octets.length; at += size)
          pieces.push(Uint8Array.from(encoder.push(octets.subarray(at, at + size))));
        pieces.push(encoder.end());
        const encoded = Buffer.concat(pieces);
        assert.ok(
          encoded
            .toString('latin1')
            .split('\r\n')
            .every((line) => line.length <= 76 && !line.startsWith('-')),
        );
        assert.ok(Buffer.from(decodeTransfer(encoded, name)).equals(octets));
      }
    }),
  );
});

test('messages made of parts keep their structure and the content of each part', () => {
  const line = fc.oneof(
    fc.string({
      unit: fc.constantFrom('-', 'a', '=', ' ', '\t', '\xe4', '\xff', '\r', '\n', '\0'),
      maxLength: 120,
    }),
    fc.constantFrom('--b0', '--b0--', '--b1', `${'x'.repeat(75)}--b0`, `${'x'.repeat(74)}\xe4--b1`),
  );
  const body = fc.array(line, { maxLength: 6 }).map((all) => all.join('\r\n'));
  const encoding = fc.constantFrom('7bit', '8bit', 'binary', 'quoted-printable', 'base64', 'x');
  const type = fc.constantFrom(
    'text/plain',
    'text/html',
    'image/png',
    'message/rfc822',
    'message/global',
    'message/partial',
  );
  const leaf = fc
    .tuple(type, encoding, body)
    .map(([kind, how, what]) => text(`Content-Type: ${kind}`, `Content-Transfer-Encoding: ${how}`, '', what));
  const several = (parts: fc.Arbitrary<string>, boundary: string) =>
    fc
      .tuple(fc.constantFrom('mixed', 'digest', 'signed'), line, fc.array(parts, { maxLength: 4 }))
      .map(([sub, pre, all]) =>
        text(
          `Content-Type: multipart/${sub}; boundary=${boundary}`,
          'Content-Transfer-Encoding: 8bit',
          '',
          pre,
          ...all.flatMap((part) => [`--${boundary}`, part]),
          `--${boundary}--`,
        ),
      );
  fc.assert(
    fc.property(several(fc.oneof(leaf, several(leaf, 'b1')), 'b0'), (message) => fuzz(fromLatin1(message))),
    { numRuns: 300 },
  );
});
