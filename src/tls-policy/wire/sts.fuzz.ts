import assert from 'node:assert/strict';
import { formatStsPolicy, matchesStsPolicy, parseStsPolicy } from './sts-policy.ts';
import { parseStsRecords } from './sts-record.ts';

export const covers: RegExp = /src\/tls-policy\/wire\/sts-/;

/** No text makes them throw; a policy that was read is read again the same from what is written of it. */
export function fuzz(octets: Uint8Array): void {
  const text = Buffer.from(octets).toString('utf8');
  const id = parseStsRecords(text.split('\0'));
  if (id !== undefined) assert.match(id, /^[A-Za-z0-9]{1,32}$/);
  const policy = parseStsPolicy(text);
  if (!policy.ok) return;
  assert.deepEqual(parseStsPolicy(formatStsPolicy(policy.value).join('\r\n')), policy);
  for (const pattern of policy.value.mx)
    assert.ok(matchesStsPolicy(policy.value, pattern.startsWith('*.') ? `x${pattern.slice(1)}` : pattern));
}

export const seeds: readonly Uint8Array[] = [
  'v=STSv1; id=20160831085700Z;',
  'v=STSv1; id=1; x_y=z\0v=spf1 -all',
  'version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n',
  'version: STSv1\nmode: none\nmax_age: 86400\nother: täxt\n',
].map((text) => Buffer.from(text));
