import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import { ownAddresses } from './own-addresses.ts';

const INTERFACES = {
  lo: [
    { address: '127.0.0.1', family: 'IPv4' },
    { address: '::1', family: 'IPv6' },
  ],
  eth0: [
    { address: '192.0.2.1', family: 'IPv4' },
    { address: '2001:db8::1', family: 'IPv6' },
  ],
  down: undefined,
} as const;

function configOf(listener: string): Config {
  const parsed = parseConfig(
    `hostname = "mail.example.org"\ndataDirectory = "/srv/mail"\n[tls]\nselfSigned = true\n[listeners.smtp]\n${listener}`,
  );
  assert.ok(parsed.ok);
  return parsed.value;
}

const cases = [
  { name: 'all of IPv4', listener: 'addresses = ["0.0.0.0"]', want: ['127.0.0.1', '192.0.2.1'] },
  { name: 'all of IPv6', listener: 'addresses = ["::"]', want: ['::1', '2001:db8::1'] },
  { name: 'one that is named', listener: 'addresses = ["192.0.2.1"]', want: ['192.0.2.1'] },
  { name: 'another port', listener: 'addresses = ["192.0.2.1"]\nport = 2525', want: [] },
  { name: 'nobody listens', listener: 'enabled = false', want: [] },
] as const;
for (const { name, listener, want } of cases)
  test(`own addresses: ${name} (RFC 5321 §5.1)`, () => {
    assert.deepEqual(ownAddresses(configOf(listener), INTERFACES), want);
  });
