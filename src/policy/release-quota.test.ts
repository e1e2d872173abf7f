import assert from 'node:assert/strict';
import { test } from 'node:test';
import { office, Talk } from '../../test/support/smtp-ports.ts';
import { SUBMISSION } from '../smtp/server/role.ts';
import { Pipeline } from './pipeline.ts';
import type { ReleaseQuotaRules } from './release-quota.ts';
import { releaseQuotaCheck } from './release-quota.ts';
import { sessionChecks } from './session-checks.ts';

const AUTH = `AUTH PLAIN ${Buffer.from('\0alice\0secret').toString('base64')}\r\n`;
const RULES: ReleaseQuotaRules = { scheduledMessagesMax: 3, scheduledOctetsMax: 1000 };

/** Alice has signed in, and so much of hers waits. */
async function world(kept: { readonly messages: number; readonly octets: number }) {
  const here = office({ role: SUBMISSION });
  const { clock } = here;
  const scheduled = { ...kept };
  const check = releaseQuotaCheck({ queue: { scheduled: async () => scheduled }, clock }, RULES);
  const pipeline = new Pipeline([check], { clock, events: () => undefined });
  Object.assign(here.deps, { policy: sessionChecks(pipeline)() });
  const talk = new Talk(here, { tls: true });
  await talk.say(`EHLO c.test\r\n${AUTH}`);
  return { talk, scheduled, nowMs: clock.nowMs() };
}

const CASES = [
  { name: 'nothing waits yet', messages: 0, octets: 0, mail: 'HOLDFOR=60', want: '250 2.1.0' },
  { name: 'room for one more', messages: 2, octets: 0, mail: 'HOLDFOR=60', want: '250 2.1.0' },
  { name: 'as many as may', messages: 3, octets: 0, mail: 'HOLDFOR=60', want: '552 5.7.16' },
  { name: 'room for as much', messages: 0, octets: 600, mail: 'HOLDFOR=60 SIZE=400', want: '250 2.1.0' },
  { name: 'one octet more', messages: 0, octets: 600, mail: 'HOLDFOR=60 SIZE=401', want: '552 5.7.16' },
  { name: 'not to be held', messages: 3, octets: 1000, mail: 'SIZE=401', want: '250 2.1.0' },
] as const;
for (const { name, messages, octets, mail, want } of CASES)
  test(`${name}: ${want} (RFC 4865 §6)`, async () => {
    const { talk } = await world({ messages, octets });
    assert.deepEqual(await talk.codes(`MAIL FROM:<alice@example.test> ${mail}\r\n`), [want]);
  });

test('HOLDUNTIL counts while its time is ahead, and is like nothing behind it (RFC 4865 §6)', async () => {
  const { talk, nowMs } = await world({ messages: 3, octets: 0 });
  const until = (atMs: number): string => `HOLDUNTIL=${new Date(atMs).toISOString().slice(0, 19)}Z`;
  const mail = (hold: string): string => `RSET\r\nMAIL FROM:<alice@example.test> ${hold}\r\n`;
  assert.deepEqual(await talk.codes(mail(until(nowMs + 5000))), ['250 2.0.0', '552 5.7.16']);
  assert.deepEqual(await talk.codes(mail(until(nowMs - 5000))), ['250 2.0.0', '250 2.1.0']);
});

test('what turns out larger than there is room, or comes after others, is refused with its content (RFC 4865 §6)', async () => {
  const { talk, scheduled } = await world({ messages: 2, octets: 950 });
  const message = `${'x'.repeat(98)}\r\n`;
  const whole = `MAIL FROM:<alice@example.test> HOLDFOR=60\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n`;
  assert.deepEqual(await talk.codes(whole), ['250 2.1.0', '250 2.1.5', '354']);
  assert.deepEqual(await talk.codes(`${message}.\r\n`), ['552 5.7.16']);
  scheduled.octets = 0;
  assert.deepEqual(await talk.codes(whole), ['250 2.1.0', '250 2.1.5', '354']);
  scheduled.messages = 3;
  assert.deepEqual(await talk.codes(`${message}.\r\n`), ['552 5.7.16']);
});
