import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toPreview } from './preview.ts';
import { scanMessage } from './scan.ts';
import { stripHtml, toPlainText } from './text.ts';

const fold = (text: string): string => text.replace(/\s+/g, ' ').trim();

const pages = [
  { name: 'paragraphs part words, emphasis does not', input: '<p>one</p><p>t<b>w</b>o', want: 'one two' },
  {
    name: 'styles, scripts and titles are not read',
    input: '<title>x</title><style>p>a{}</style><SCRIPT>1<2</script >a',
    want: 'a',
  },
  { name: 'comments', input: 'a<!-- b > c -->d', want: 'ad' },
  { name: 'a comment that never ends', input: 'a<!-- b', want: 'a' },
  { name: 'entities', input: '&lt;&amp;&#228;&#xE4;&euro;&nbsp;&nonsense;&copy', want: '<&ää€ &nonsense;©' },
  { name: 'entities that are no characters', input: '&#0;&#55296;&#x110000;a', want: 'a' },
  { name: 'a bracket in an attribute', input: '<img alt="a > b">c', want: 'c' },
  { name: 'a quote that never closes', input: '<a href="x>b</a>c', want: 'bc' },
  { name: 'less than', input: '1 < 2 <3', want: '1 < 2 <3' },
  { name: 'a tag that never ends', input: 'a<b', want: 'a' },
] as const;
for (const { name, input, want } of pages) {
  test(`HTML: ${name}`, () => assert.equal(fold(stripHtml(input)), want));
}

test('a long page of the worst kind is read in linear time', () => {
  for (const piece of ['<', '<a ', '<a x="', '<!--', '<style>', '&', '&#', '<a x="y>', '</style']) {
    stripHtml(piece.repeat(100_000));
  }
});

test('any page gives text', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.constantFrom('<', '>', '"', "='", '="', '!--', '-->', 'style', '/', ' ', 'a', '&', '#1', ';'),
      ),
      (all) => {
        assert.ok(stripHtml(all.join('')).length <= all.join('').length + all.length);
      },
    ),
  );
});

const plain = (body: string, head = ''): Buffer =>
  Buffer.from(`Content-Type: text/plain; charset=utf-8\r\n${head}\r\n${body}`);
const previews = [
  { name: 'white space folded', input: plain('  a\r\n\r\n b\tc\u00a0 \u200b'), want: 'a b c' },
  { name: 'quoted lines left out', input: plain('> no\r\n> more\r\nyes\r\n'), want: 'yes' },
  { name: 'all quoted', input: plain('> yes\r\n'), want: '> yes' },
  {
    name: 'decoded',
    input: plain('w=C3=B6rd=\r\ner', 'Content-Transfer-Encoding: quoted-printable\r\n'),
    want: 'wörder',
  },
  {
    name: 'HTML where there is no text',
    input: Buffer.from('Content-Type: text/html\r\n\r\n<style>x</style><p>a</p>b'),
    want: 'a b',
  },
  {
    name: 'HTML where the text is empty',
    input: Buffer.from(
      'Content-Type: multipart/x; boundary=a\r\n\r\n--a\r\n\r\n \r\n--a\r\nContent-Type: text/html\r\n\r\n<p>b\r\n--a--',
    ),
    want: 'b',
  },
  { name: 'a picture', input: Buffer.from('Content-Type: image/png\r\n\r\nx'), want: '' },
  { name: 'at most 200 characters', input: plain('\u{1f4ee}'.repeat(300)), want: '\u{1f4ee}'.repeat(200) },
  { name: 'a cut never leaves half a character', input: plain(`${' '.repeat(383)}äöü`), want: 'äöü' },
  {
    name: 'text behind kilobytes of styles',
    input: Buffer.from(`Content-Type: text/html\r\n\r\n<style>${'p{} '.repeat(2000)}</style>a`),
    want: 'a',
  },
] as const;
for (const { name, input, want } of previews) {
  test(`preview: ${name} (RFC 8970 §3.3)`, () => assert.equal(toPreview(scanMessage(input)), want));
}

test('plain text of a part, decoded and without markup', () => {
  const message = Buffer.from(
    'Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+5DwvcD4=',
  );
  const { root } = scanMessage(message);
  assert.equal(toPlainText(root, message.subarray(root.headerEnd)).trim(), 'ä');
});
