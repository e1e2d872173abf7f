import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { known, toBlobId } from '../ids.ts';
import {
  HEADER_OCTETS,
  SEGMENT_NUMBER_MAX,
  SEGMENT_OCTETS_MAX,
  aligned,
  decodeRecordHeader,
  encodeRecordHeader,
  formatMarkerName,
  formatSegmentName,
  fromPlace,
  parseMarkerName,
  parseSegmentName,
  toPlace,
} from './segment-format.ts';

const segments = fc.integer({ min: 1, max: SEGMENT_NUMBER_MAX });
const offsets = fc.integer({ min: 4, max: SEGMENT_OCTETS_MAX / 16 - 1 }).map((unit) => unit * 16);

suite('segment format', () => {
  test('places are numbers below 2^53 that rise with segment and offset', () => {
    assert.equal(toPlace(SEGMENT_NUMBER_MAX, SEGMENT_OCTETS_MAX - 16), 2 ** 53 - 1);
    fc.assert(
      fc.property(segments, offsets, (segment, offset) => {
        assert.deepEqual(fromPlace(toPlace(segment, offset)), { segment, offset });
      }),
    );
  });

  test('names read back', () => {
    fc.assert(
      fc.property(segments, fc.stringMatching(/^[0-9A-Za-z]{1,40}$/), (segment, owner) => {
        assert.equal(parseSegmentName(formatSegmentName(segment)), segment);
        assert.deepEqual(parseMarkerName(formatMarkerName(segment, owner)), { segment, owner });
      }),
    );
  });

  for (const name of [
    '1.segment',
    '0000000000.segment',
    '9999999999.segment',
    '0000000001.segment~',
    'quarantine',
    '',
  ])
    test(`${JSON.stringify(name)} is no segment`, () => {
      assert.equal(parseSegmentName(name), undefined);
      assert.equal(parseMarkerName(name), undefined);
    });

  test('a record header is read at its own place only, and whole only', () => {
    const header = { octets: 12_345, id: known(toBlobId('ab'.repeat(32))), crc: 0xffff_ffff };
    fc.assert(
      fc.property(segments, offsets, fc.nat(511), (segment, offset, bit) => {
        const octets = Buffer.alloc(HEADER_OCTETS);
        encodeRecordHeader(octets, header, segment, offset);
        assert.deepEqual(decodeRecordHeader(octets, segment, offset), header);
        assert.equal(decodeRecordHeader(octets, segment + 1, offset), undefined);
        assert.equal(decodeRecordHeader(octets, segment, offset + 16), undefined);
        assert.equal(decodeRecordHeader(octets.subarray(0, 63), segment, offset), undefined);
        octets[bit >> 3] = (octets[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.equal(decodeRecordHeader(octets, segment, offset), undefined);
      }),
    );
  });

  test('alignment', () => {
    for (const [octets, want] of [
      [0, 0],
      [1, 16],
      [16, 16],
      [17, 32],
    ] as const)
      assert.equal(aligned(octets), want);
  });
});
