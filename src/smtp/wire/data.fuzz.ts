/** DATA in and out: the cut of the octets changes nothing, and what is sent ends once, at its end, for any receiver. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { DataDecoder, DataEncoder, NewlineCheck } from './data.ts';

export const covers: RegExp = /src\/smtp\/wire\/data\.ts$/;

/** The first octet says where the rest is cut. */
export const seeds: readonly Uint8Array[] = [
  '\x03a\r\n.\r\nQUIT\r\n',
  '\x01..a\r\n.b\r\n.\r\n',
  '\x05a\n.\nb\r.\rc\r\n.\r\n',
  '\x02\r\n.\r\n',
  '\x00.\r\n',
].map((text) => Buffer.from(text, 'latin1'));

export function fuzz(octets: Uint8Array): void {
  const [cut = 0] = octets;
  const input = Buffer.from(octets.subarray(1));
  const halves = [input.subarray(0, cut % (input.length + 1)), input.subarray(cut % (input.length + 1))];
  assert.deepEqual(decode(halves), decode([input]));

  const encoder = new DataEncoder();
  const wire = Buffer.concat([...halves.map((half) => encoder.push(half)), encoder.finish()]);
  const back = decode([wire]);
  assert.equal(back.rest, '');
  assert.equal(back.bare, false);

  const check = new NewlineCheck();
  for (const half of halves) check.push(half);
  assert.equal(check.finish(), /\r(?!\n)|(?<!\r)\n/.test(input.toString('latin1')));
  if (!check.finish() && (input.length === 0 || input.at(-1) === 0x0a))
    assert.equal(back.content, input.toString('latin1'));
}

function decode(chunks: readonly Buffer[]): { content: string; rest: string | undefined; bare: boolean } {
  const decoder = new DataDecoder();
  let content = '';
  for (const [index, chunk] of chunks.entries()) {
    const step = decoder.push(chunk);
    content += Buffer.from(step.octets).toString('latin1');
    if (step.kind === 'more') continue;
    const rest = Buffer.concat([step.rest, ...chunks.slice(index + 1)]).toString('latin1');
    return { content, rest, bare: decoder.bareNewline };
  }
  return { content, rest: undefined, bare: decoder.bareNewline };
}
