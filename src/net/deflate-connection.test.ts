/** Back-pressure and ends of a compressed connection. What IMAP makes of it is told in src/imap/server/compress.test.ts. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { memoryPair } from '../../test/support/memory-connection.ts';
import { LIMITS } from '../base/limits.ts';
import { DeflateConnection } from './deflate-connection.ts';

const FLUSH = { finishFlush: constants.Z_SYNC_FLUSH };

test('octets that grow a thousandfold are inflated as they are read, not before (RFC 4978)', async () => {
  const { client, server } = memoryPair();
  const inflating = new DeflateConnection(server);
  const octets = 20_000_000;
  void client.write(deflateRawSync(Buffer.alloc(octets), FLUSH));
  void client.close();
  let total = 0;
  let largest = 0;
  for (;;) {
    const got = await inflating.read(1000);
    if (typeof got === 'string') break;
    total += got.length;
    largest = Math.max(largest, got.length);
  }
  assert.equal(total, octets);
  assert(largest <= 2 * LIMITS.imapInflatedOctetsMax, `${largest} octets at once`);
  inflating.release();
});

test('each batch can be inflated when it has come, whatever its size', async () => {
  const { client, server } = memoryPair({ windowOctets: Infinity });
  const deflating = new DeflateConnection(server);
  let sent = Buffer.alloc(0);
  let came = Buffer.alloc(0);
  for (const octets of [1, 32_767, 32_768, 32_769, 200_000]) {
    const batch = randomBytes(octets);
    sent = Buffer.concat([sent, batch]);
    await deflating.write([batch.subarray(0, 1), batch.subarray(1)]);
    for (let got = client.tryRead(); got !== undefined; got = client.tryRead())
      came = Buffer.concat([came, got]);
    assert(inflateRawSync(came, FLUSH).equals(sent), `after ${octets} octets`);
  }
  assert.equal((await deflating.end()).length, 0);
  for (let got = client.tryRead(); got !== undefined; got = client.tryRead())
    came = Buffer.concat([came, got]);
  assert(inflateRawSync(came).equals(sent), 'the stream has an end');
});

test('a peer that does not read is waited for', async () => {
  const { client, server } = memoryPair({ windowOctets: 1 });
  const deflating = new DeflateConnection(server);
  let written = false;
  const writing = deflating.write(Buffer.from('hello')).then(() => (written = true));
  while (client.tryRead() === undefined) {
    assert(!written, 'written though nobody read');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await writing;
  deflating.release();
});

test('wake and time out reach who reads, and the end is told', async () => {
  const { client, server } = memoryPair();
  const inflating = new DeflateConnection(server);
  const read = inflating.read(1000);
  inflating.wake();
  assert.equal(await read, 'woken');
  void client.close();
  assert.equal(await inflating.read(1000), 'end');
  inflating.destroy();
  assert.equal(await inflating.read(1000), 'reset');
  assert.equal(inflating.gone, 'destroyed');
  assert.equal((await inflating.startTls()).ok, false);
});
