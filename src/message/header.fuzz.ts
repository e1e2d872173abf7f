/** Fields cover their section without gaps, and unfolding never leaves a line end. */
import assert from 'node:assert/strict';
import { latin1 } from '../base/bytes.ts';
import { asciiLower } from './ascii.ts';
import { decodeText } from './encoded-word.ts';
import { describe } from './entity.ts';
import { formatField, parseHeader, unfold } from './header.ts';
import { parseMessageId, parseMessageIds } from './message-id.ts';
import { parameterText, parseParameterized } from './parameter.ts';
import { baseSubject, collationKey, isReplySubject } from './subject.ts';

export const covers: RegExp = /src\/message\/(?:header|parameter|entity|message-id|subject|encoded-word)\.ts/;

export const seeds: readonly Uint8Array[] = [
  'Subject: one\r\n two\r\nX:\r\nno colon\r\n\r\nbody',
  'A : b\nB: c\n\td\n\nbody',
  'Content-Type: a/b; name*0*=utf-8\'en\'%E2%82; name*1*=%AC; name*2=x; (c) y="\\"" z=1 w=2\r\n',
  'Content-Disposition: attachment; filename=a b.pdf\r\nContent-Language: en, (x) de\r\n',
  'References: <a@b> (<c>) "<d>" <"e\\f"@g> <h',
  'Subject: [a][b] re[c]: fw: [fwd: x (fwd)] (fwd)',
].map((text) => Buffer.from(text, 'latin1'));

export function fuzz(octets: Uint8Array): void {
  const text = latin1(octets);
  const fields = parseHeader(text);
  let at = 0;
  for (const { name, key, raw, start, end } of fields) {
    assert.equal(start, at);
    assert.ok(end > start);
    assert.equal(key, asciiLower(name));
    assert.ok(text.slice(start, end).includes(raw));
    assert.ok(!unfold(raw).includes('\n'));
    assert.ok(decodeText(raw).isWellFormed());
    const { parameters } = parseParameterized(raw);
    for (const parameter of parameters) assert.notEqual(parameterText(parameters, parameter.name), undefined);
    at = end;
  }
  assert.ok(at === text.length || /^\r?\n/.test(text.slice(at)));
  describe(fields, true);
  for (const id of parseMessageIds(text)) assert.ok(id !== '' && !/[\t-\r ]/.test(id));
  parseMessageId(text);
  const subject = decodeText(text);
  const base = baseSubject(subject);
  assert.equal(baseSubject(base), base);
  isReplySubject(subject);
  assert.ok(collationKey(subject).isWellFormed());
  // What is formatted is one field, whatever the value holds.
  assert.equal(parseHeader(formatField('X', text)).length, 1);
}
