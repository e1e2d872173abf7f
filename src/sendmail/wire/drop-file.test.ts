import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../base/limits.ts';
import { decodeDropHead, encodeDropHead, type DropEnvelope } from './drop-file.ts';

const PLAIN: DropEnvelope = {
  sender: 'bob@here.test',
  recipients: ['alice@here.test', 'postmaster'],
  notify: undefined,
  ret: undefined,
  envid: undefined,
  eightBit: false,
};

test('an envelope reads back, whatever content follows, and is as long for 8-bit content', () => {
  const choices = fc.record(
    {
      sender: fc.constantFrom(null, 'bob@here.test', '"a b"@x.test', 'jürgen@bücher.test'),
      notify: fc.constantFrom(undefined, [], ['success' as const, 'delay' as const]),
      wishes: fc.constantFrom(undefined, [
        { notify: ['failure' as const], originalRecipient: 'rfc822;a+2Bb@x.test' },
        { notify: undefined, originalRecipient: undefined },
      ]),
      ret: fc.constantFrom(undefined, 'full' as const, 'hdrs' as const),
      envid: fc.constantFrom(undefined, 'QQ 314'),
      verp: fc.constantFrom(undefined, {}, { tag: '-', at: '=' }),
      eightBit: fc.boolean(),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(choices, fc.uint8Array({ maxLength: 20 }), (chosen, content) => {
      const { wishes, verp, ...rest } = chosen;
      const envelope: DropEnvelope = {
        ...PLAIN,
        ...rest,
        ...(wishes === undefined ? {} : { wishes }),
        ...(verp === undefined ? {} : { verp }),
      };
      const head = encodeDropHead(envelope);
      const read = decodeDropHead(Buffer.concat([head, content]));
      assert.deepEqual(read, { kind: 'head', envelope, octets: head.length });
      assert.equal(encodeDropHead({ ...envelope, eightBit: !envelope.eightBit }).length, head.length);
    }),
  );
});

test('a head that has not all come is waited for, up to the limit', () => {
  const head = encodeDropHead(PLAIN);
  assert.deepEqual(decodeDropHead(head.subarray(0, -1)), { kind: 'need-more' });
  assert.deepEqual(decodeDropHead(Buffer.alloc(LIMITS.dropHeadOctetsMax + 1, 'x')), { kind: 'malformed' });
});

for (const [what, change] of [
  ['no recipient', { recipients: [] }],
  ['a recipient that is no address', { recipients: ['a@x.test', 'a b'] }],
  ['a line end in a recipient', { recipients: ['a@x.test\r\nX: y'] }],
  ['a line end in the sender', { sender: 'a@x.test\r\nX: y' }],
  ['a sender that is none', { sender: 7 }],
  ['an empty sender', { sender: '' }],
  ['a wish that is none', { notify: ['often'] }],
  ['wishes of more recipients than there are', { wishes: [{}, {}, {}] }],
  ['a wish of a recipient that is none', { wishes: [{ notify: 'often' }, {}] }],
  ['an ORCPT that is none', { wishes: [{ originalRecipient: 'a b' }, {}] }],
  ['a line end in ORCPT', { wishes: [{ originalRecipient: 'rfc822;a\r\nb' }, {}] }],
  ['a return that is none', { ret: 'half' }],
  ['a line end in ENVID', { envid: 'a\r\nb' }],
  ['VERP by no characters', { verp: { tag: '', at: '' } }],
  ['VERP by one', { verp: { tag: '+' } }],
  ['VERP by others', { verp: { tag: '@', at: '=' } }],
  ['VERP by more', { verp: { tag: '+-', at: '=' } }],
  ['VERP that is none', { verp: '+=' }],
] as const)
  test(`refused: ${what}`, () => {
    const head = Buffer.from(`${JSON.stringify({ ...PLAIN, ...change })}\n`);
    assert.deepEqual(decodeDropHead(head), { kind: 'malformed' });
  });

for (const text of ['\n', 'null\n', '[]\n', '{\n', '"x"\n', '{"recipients":"a@x.test"}\n'])
  test(`refused: ${JSON.stringify(text)}`, () =>
    assert.deepEqual(decodeDropHead(Buffer.from(text)), { kind: 'malformed' }));
