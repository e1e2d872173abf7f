import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzz, seeds } from './sts.fuzz.ts';
import { matchesStsPolicy, parseStsPolicy } from './sts-policy.ts';
import { parseStsRecords } from './sts-record.ts';

const records = [
  { name: 'a record', texts: ['v=STSv1; id=20160831085700Z;'], want: '20160831085700Z' },
  { name: 'without the last semicolon', texts: ['v=STSv1;id=1'], want: '1' },
  { name: 'blanks around delimiters', texts: ['v=STSv1; \t id=1 \t ; x=y'], want: '1' },
  { name: 'other fields, in any order', texts: ['v=STSv1; a-b.c_d=~!; id=1'], want: '1' },
  { name: 'the first of two ids', texts: ['v=STSv1; id=1; id=2'], want: '1' },
  { name: 'beside other records', texts: ['v=spf1 -all', 'v=STSv1; id=1', 'v=STSv2; id=9'], want: '1' },
  { name: 'two records', texts: ['v=STSv1; id=1', 'v=STSv1; id=1'], want: undefined },
  { name: 'no record', texts: [], want: undefined },
  { name: 'no id', texts: ['v=STSv1; x=y'], want: undefined },
  { name: 'the version alone', texts: ['v=STSv1;'], want: undefined },
  { name: 'the version in other letters', texts: ['V=STSv1; id=1', 'v=stsv1; id=1'], want: undefined },
  { name: 'the version not first', texts: ['id=1; v=STSv1;'], want: undefined },
  { name: 'an id of 33 letters', texts: [`v=STSv1; id=${'a'.repeat(33)}`], want: undefined },
  { name: 'an id with a hyphen', texts: ['v=STSv1; id=1-2'], want: undefined },
  { name: 'an empty field between', texts: ['v=STSv1; ; id=1'], want: undefined },
  { name: 'a field without a value', texts: ['v=STSv1; id=1; x='], want: undefined },
  { name: 'a line end within', texts: ['v=STSv1; id=1\n'], want: undefined },
  { name: 'beyond ASCII', texts: ['v=STSv1; id=1; x=ä'], want: undefined },
];
for (const { name, texts, want } of records)
  test(`the TXT record: ${name} (RFC 8461 §3.1)`, () => assert.equal(parseStsRecords(texts), want));

const whole =
  'version: STSv1\r\nmode: enforce\r\nmx: Mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n';
const policies = [
  { name: 'as the standard has it', text: whole, want: 'enforce mail.example.com *.example.net 604800' },
  {
    name: 'line feeds alone',
    text: whole.replaceAll('\r', ''),
    want: 'enforce mail.example.com *.example.net 604800',
  },
  {
    name: 'no line end at the end',
    text: whole.trimEnd(),
    want: 'enforce mail.example.com *.example.net 604800',
  },
  {
    name: 'blanks at line ends and none behind colons',
    text: 'version:STSv1 \nmode:\ttesting\t\nmx:a.b\nmax_age:1',
    want: 'testing a.b 1',
  },
  { name: 'mode none needs no mx', text: 'version: STSv1\nmode: none\nmax_age: 0', want: 'none  0' },
  {
    name: 'unknown fields are ignored',
    text: `${whole}x-y: anything é at all\n`,
    want: 'enforce mail.example.com *.example.net 604800',
  },
  {
    name: 'of two modes the first counts',
    text: `${whole}mode: none\nmax_age: 1`,
    want: 'enforce mail.example.com *.example.net 604800',
  },
  {
    name: 'max_age of a year at most',
    text: 'version: STSv1\nmode: none\nmax_age: 9999999999',
    want: 'none  31557600',
  },
  {
    name: 'empty lines',
    text: `\n\n${whole}\r\n\r\n`,
    want: 'enforce mail.example.com *.example.net 604800',
  },
  { name: 'another version', text: whole.replace('STSv1', 'STSv2'), want: undefined },
  { name: 'no version', text: whole.replace('version: STSv1\r\n', ''), want: undefined },
  { name: 'a key in other letters', text: whole.replace('version', 'Version'), want: undefined },
  { name: 'another mode', text: whole.replace('enforce', 'Enforce'), want: undefined },
  { name: 'no mx', text: 'version: STSv1\nmode: testing\nmax_age: 1', want: undefined },
  { name: 'a wildcard within mx', text: whole.replace('*.', 'a*.'), want: undefined },
  { name: 'a wildcard alone as mx', text: whole.replace('*.example.net', '*'), want: undefined },
  { name: 'a U-label as mx', text: whole.replace('*.example.net', 'bücher.example'), want: undefined },
  { name: 'no max_age', text: 'version: STSv1\nmode: none', want: undefined },
  { name: 'a max_age below zero', text: 'version: STSv1\nmode: none\nmax_age: -1', want: undefined },
  {
    name: 'a max_age of eleven digits',
    text: 'version: STSv1\nmode: none\nmax_age: 10000000000',
    want: undefined,
  },
  { name: 'a line that is no field', text: `${whole}nonsense\n`, want: undefined },
  { name: 'a page of HTML', text: '<!doctype html><title>404</title>', want: undefined },
  { name: 'a NUL', text: `${whole}x: a\0b\n`, want: undefined },
];
for (const { name, text, want } of policies)
  test(`the policy: ${name} (RFC 8461 §3.2)`, () => {
    const read = parseStsPolicy(text);
    const words = read.ok ? [read.value.mode, read.value.mx.join(' '), read.value.maxAgeS] : undefined;
    assert.equal(words?.join(' '), want);
  });

const matches = [
  { host: 'mail.example.com', want: true },
  { host: 'x.example.net', want: true },
  { host: 'example.net', want: false },
  { host: 'x.y.example.net', want: false },
  { host: '.example.net', want: false },
  { host: '*.example.net', want: true },
  { host: 'mail.example.com.evil.example', want: false },
  { host: '', want: false },
];
for (const { host, want } of matches)
  test(`${JSON.stringify(host)} ${want ? 'is' : 'is not'} of the policy (RFC 8461 §4.1)`, () => {
    const policy = { mode: 'enforce', mx: ['mail.example.com', '*.example.net'], maxAgeS: 1 } as const;
    assert.equal(matchesStsPolicy(policy, host), want);
  });

test('no text makes them throw', () => {
  for (const seed of seeds) for (let end = 0; end <= seed.length; end += 1) fuzz(seed.subarray(0, end));
  fc.assert(
    fc.property(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }),
      (seed, changes) => {
        const octets = Buffer.from(seed);
        for (const [at, value] of changes) octets[at % octets.length] = value;
        fuzz(octets);
      },
    ),
    { numRuns: 3000 },
  );
});

test('a long text costs linear time', () => {
  const text = `${' '.repeat(30_000)}${'x: y \t'.repeat(6000)}`;
  assert.equal(parseStsPolicy(text).ok, false);
  assert.equal(parseStsRecords([`v=STSv1;${' '.repeat(60_000)};`]), undefined);
});
