/** Whatever a program pipes into `sendmail`, or a user leaves in the maildrop: nothing throws, nothing is forged. */
import assert from 'node:assert/strict';
import { decodeDropHead, encodeDropHead } from './drop-file.ts';
import { LineEnds } from './line-ends.ts';
import { recipientsOf, repairHeader, splitHeader } from './submitted-header.ts';

export const covers: RegExp = /src\/sendmail\/wire\/(?:drop-file|line-ends|submitted-header)\.ts/;

export const seeds: readonly Uint8Array[] = [
  'From: a\nTo: b@x.test,\n c: d@x.test;\nBcc: e\n\nhi\n.\n',
  'From x\nResent-To: (c) "q" <a@x.test>\r\nno field',
  '{"eightBit":0,"sender":null,"recipients":["a@x.test"],"notify":["delay"],"ret":"hdrs","envid":"x"}\n',
  '{"sender":"b@x.test","recipients":["a@x.test"],"wishes":[{"notify":[],"originalRecipient":"rfc822;a"}]}\n',
].map((text) => Buffer.from(text));

const FACTS = {
  domain: 'here.test',
  sender: null,
  address: 'bob@here.test',
  fullName: 'Bob',
  nowMs: 0,
  zoneMinutes: 0,
  id: 'ID',
};

export function fuzz(octets: Uint8Array): void {
  const lines = new LineEnds(octets.length % 2 === 0);
  const text = Buffer.concat([lines.push(octets), lines.end()]).toString('latin1');
  assert.doesNotMatch(text.replaceAll('\r\n', ''), /[\r\n]/);
  const split = splitHeader(text, true);
  assert.equal(split.kind, 'split');
  if (split.kind === 'split') {
    assert.ok(split.body.startsWith('\r\n'));
    recipientsOf(split.header, 'here.test');
    const repaired = repairHeader(split.header, FACTS);
    assert.doesNotMatch(repaired.replaceAll('\r\n', ''), /[\r\n]/);
    assert.doesNotMatch(repaired, /^bcc:/im);
    assert.doesNotMatch(repaired, /\r\n\r\n/);
  }
  const head = decodeDropHead(octets);
  if (head.kind === 'head') assert.equal(decodeDropHead(encodeDropHead(head.envelope)).kind, 'head');
}
