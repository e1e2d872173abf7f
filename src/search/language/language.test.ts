import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bare, guessLanguage, stemOf } from './language.ts';

const TEXTS = [
  [
    'english',
    'Please find the report that you asked for attached to this message, and let us know if it is not what you need',
  ],
  [
    'german',
    'Die Rechnung ist nicht bei mir angekommen und ich bitte Sie, den Betrag auf das Konto zu überweisen',
  ],
  [
    'french',
    'Nous vous remercions pour les documents que vous avez envoyés et nous sommes dans l’attente de la suite',
  ],
  [
    'spanish',
    'Los documentos que usted pide no están en el archivo, por favor envíe una copia para que se revise',
  ],
  [
    'italian',
    'Le fatture che sono state inviate per il mese non sono della nostra azienda, gli importi non tornano',
  ],
  ['swedish', 'Jag har inte fått det som du skickade till mig och det är inte med i listan'],
  ['russian', 'Мы не получили письмо, и вы можете отправить его ещё раз на этот адрес, но не в понедельник'],
  ['none', 'Invoice 12345 Alice Bob 東京都 2026'],
  ['none', ''],
] as const;
for (const [language, text] of TEXTS)
  test(`a text in ${language}: ${text.slice(0, 30)}`, () => {
    assert.equal(
      guessLanguage(
        text
          .toUpperCase()
          .normalize('NFKD')
          .split(/[^\p{L}\p{M}\p{N}]+/u),
      ),
      language,
    );
  });

const STEMS = [
  ['english', 'MEETING', 'meetings', true],
  ['english', 'invoice', 'voices', false],
  ['german', 'Häuser', 'HAUS', true],
  ['german', 'HA\u0308USER', 'häusern', true],
  ['french', 'réunions', 'REUNION', true],
  ['russian', 'письмами', 'ПИСЬМА', true],
  ['none', 'Café', 'CAFE', true],
  ['none', 'house', 'houses', false],
] as const;
for (const [language, one, other, isSame] of STEMS)
  test(`${language}: ${one} and ${other} are ${isSame ? 'one word' : 'two words'}`, () => {
    assert.equal(stemOf(language, one) === stemOf(language, other), isSame);
  });

test('no word is too strange to have a stem', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('english', 'german', 'turkish', 'finnish', 'russian', 'none'),
      fc.string({ unit: 'binary', maxLength: 40 }),
      (language, word) => {
        assert.equal(typeof stemOf(language, word), 'string');
        assert.equal(bare(bare(word)), bare(word));
      },
    ),
  );
});
