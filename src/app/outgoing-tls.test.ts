import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeCertificate } from '../../test/support/certificates.ts';
import { parseConfig, type Config } from '../config/config.ts';
import { readOutgoingTls } from './outgoing-tls.ts';

const folder = await mkdtemp(join(tmpdir(), 'postrider-tls-'));
after(() => rm(folder, { recursive: true }));
const root = await makeCertificate({ name: 'Root', ca: true });
const own = await makeCertificate({ name: 'here.example' });
const file = async (name: string, text: string): Promise<string> => {
  await writeFile(join(folder, name), text);
  return join(folder, name);
};

function config(more: string): Config {
  const parsed = parseConfig(
    `hostname = "mail.here.example"\ndataDirectory = "/x"\n[tls]\nselfSigned = true\n${more}`,
  );
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value;
}

test('a CA file is trusted beside what Node trusts', async () => {
  assert.equal((await readOutgoingTls(config(''))).trustStore, undefined);
  const ca = await file('ca.pem', `# ours\n${root.pem}${own.pem}`);
  const { trustStore } = await readOutgoingTls(config(`[outgoing]\ncaFile = "${ca}"\n`));
  assert.ok(trustStore !== undefined && trustStore.length > 50);
  assert.equal(trustStore.filter((pem) => [root.pem, own.pem].includes(`${pem}\n`)).length, 2);
});

test('policies come with what their files hold', async () => {
  const chain = await file('own.pem', own.pem);
  const key = await file('own.key', own.keyPem);
  const { rules } = await readOutgoingTls(
    config(
      `[[tlsPolicies]]\ndomain = "A.example"\nlevel = "verify"\nnames = ["MX.a.example"]\nversionMin = "TLSv1.3"\n` +
        `certificateFile = "${chain}"\nkeyFile = "${key}"\n` +
        `[[tlsPolicies]]\ndomain = ".b.example"\nlevel = "fingerprint"\nfingerprints = ["${'AB:'.repeat(31)}AB"]\n`,
    ),
  );
  assert.deepEqual(rules, [
    {
      domain: 'a.example',
      demand: { kind: 'verify', names: ['mx.a.example'] },
      settings: { versionMin: 'TLSv1.3', identity: { chain: own.pem, key: own.keyPem } },
    },
    {
      domain: '.b.example',
      demand: { kind: 'fingerprint', sha256: ['ab'.repeat(32)] },
      settings: { versionMin: 'TLSv1.2' },
    },
  ]);
});

for (const [name, text] of [
  ['nothing', ''],
  ['no certificate', 'hello'],
  ['half a certificate', root.pem.slice(0, 200)],
  ['nonsense in PEM', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
] as const)
  test(`a CA file with ${name} is refused`, async () => {
    const ca = await file('bad.pem', text);
    await assert.rejects(readOutgoingTls(config(`[outgoing]\ncaFile = "${ca}"\n`)), /Reading .*bad\.pem/);
  });

test('a key of another certificate, and files that are not there, are refused', async () => {
  const chain = await file('own.pem', own.pem);
  const key = await file('other.key', root.keyPem);
  const policy = (certificateFile: string, keyFile: string): Config =>
    config(
      `[[tlsPolicies]]\ndomain = "a.example"\ncertificateFile = "${certificateFile}"\nkeyFile = "${keyFile}"\n`,
    );
  await assert.rejects(readOutgoingTls(policy(chain, key)), /Reading .*own\.pem/);
  await assert.rejects(readOutgoingTls(policy(chain, `${folder}/none`)), /Reading .*none/);
  await assert.rejects(readOutgoingTls(config(`[outgoing]\ncaFile = "${folder}/none"\n`)), /Reading .*none/);
});
