/** Whatever the octets: what is converted is ASCII, has the same parts, and each part decodes to what it was. */
import assert from 'node:assert/strict';
import type { Carriage, ConversionPlan, SurveyedMessage } from './carriage.ts';
import { Converter, planConversion, Survey } from './carriage.ts';
import type { Part } from './entity.ts';
import { scanMessage } from './scan.ts';
import { createDecoder, decodeTransfer } from './transfer.ts';

export const covers: RegExp = /src\/message\/(?:carriage|transfer-encoder)\.ts/;

const lines = (...all: string[]): Uint8Array => Buffer.from(all.join('\r\n'), 'latin1');

export const seeds: readonly Uint8Array[] = [
  lines(
    'MIME-Version: 1.0',
    'Content-Type: text/plain',
    'Content-Transfer-Encoding: 8bit',
    '',
    'h\xe4 =',
    '',
  ),
  lines('Subject: x', '', 'h\xe4'),
  lines(
    'Content-Type: multipart/mixed; boundary=a',
    'Content-Transfer-Encoding: 8bit',
    '',
    'pr\xe4amble',
    '--a',
    'Content-Transfer-Encoding: 8bit',
    '',
    `--x${'\xe4'.repeat(40)} \t`,
    '--a',
    'Content-Type: image/x',
    'Content-Transfer-Encoding: binary',
    '',
    '\0\n\r\xff',
    '--a',
    'Content-Type: multipart/signed; boundary=b',
    '',
    '--b',
    '',
    'signed',
    '--b--',
    '--a',
    'Content-Type: message/rfc822',
    'Content-Transfer-Encoding: 8bit',
    '',
    'Subject: in',
    '',
    '\xe4',
    '--a',
    'Content-Type: message/global',
    '',
    'Subject: \xc3\xa4',
    '',
    'x',
    '--a',
    'Content-Transfer-Encoding: quoted-printable',
    '',
    '-=E4\xe4=',
    '--a',
    'Content-Type: application/x',
    'Content-Transfer-Encoding: base64',
    '',
    'AAA\xe4A',
    '--a--',
    '\xe4pilogue',
    '',
  ),
];

export function fuzz(octets: Uint8Array): void {
  const message = Buffer.from(octets);
  const { root } = scanMessage(message);
  const surveyed = survey(root, message, message.length);
  assert.deepEqual(survey(root, message, 1), surveyed);
  for (const to of ['7bit', '8bit'] as const) check(message, root, surveyed, to);
}

function check(message: Buffer, root: Part, surveyed: SurveyedMessage, to: Carriage): void {
  const plan = planConversion(surveyed, to);
  if (plan.kind === 'impossible') return;
  const made = plan.kind === 'unneeded' ? message : convert(plan, message, message.length);
  if (to === '7bit') assert.ok(made.every((octet) => octet < 0x80));
  if (plan.kind === 'unneeded') return;
  assert.ok(made.equals(convert(plan, message, 1)), 'any cut gives the same');
  assert.ok(made.length <= plan.octetsMax, `${made.length} octets, ${plan.octetsMax} foretold`);
  const again = scanMessage(made);
  compare(root, again.root, message, made);
  assert.equal(planConversion(survey(again.root, made, made.length), to).kind, 'unneeded');
}

function survey(root: Part, message: Uint8Array, size: number): SurveyedMessage {
  const machine = new Survey(root);
  for (let at = 0; at < message.length; at += size) machine.push(message.subarray(at, at + size));
  return machine.end();
}

function convert(plan: ConversionPlan & { kind: 'convert' }, message: Uint8Array, size: number): Buffer {
  const machine = new Converter(plan);
  const out: Uint8Array[] = [];
  for (let at = 0; at < message.length; at += size)
    out.push(...machine.push(Buffer.from(message.subarray(at, at + size))));
  out.push(...machine.end());
  return Buffer.concat(out);
}

function compare(before: Part, after: Part, message: Buffer, made: Buffer): void {
  const wasWhole = before.kind === 'message' && before.subtype === 'global';
  assert.deepEqual(
    [after.type, after.subtype, after.disposition, after.id],
    [before.type, before.subtype, before.disposition, before.id],
  );
  if (before.kind === 'leaf' || (wasWhole && after.encoding === 'base64')) {
    if (createDecoder(before.encoding) === undefined) return;
    const was = decodeTransfer(message.subarray(before.headerEnd, before.bodyEnd), before.encoding);
    const is = decodeTransfer(made.subarray(after.headerEnd, after.bodyEnd), after.encoding);
    assert.ok(Buffer.from(is).equals(was), 'the content of a part is what it was');
    return;
  }
  assert.equal(after.kind, before.kind);
  assert.equal(after.children.length, before.children.length);
  for (const [index, child] of before.children.entries()) {
    const other = after.children[index];
    assert.ok(other !== undefined);
    compare(child, other, message, made);
  }
}
