/**
 * Every package of the lock file has a licence that Apache-2.0 can live with: `node tools/licences.ts`.
 * A package that offers a choice needs one that is allowed.
 */
import { readFileSync } from 'node:fs';

/** By SPDX identifier. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'MIT-0',
  'BlueOak-1.0.0',
]);

/** `MIT`, `(MIT OR EUPL-1.1+)`, `MIT AND ISC`: of AND every part is needed, of OR one. */
export function isAllowed(licence: string): boolean {
  const expression = licence.replace(/^\((.*)\)$/, '$1');
  return expression
    .split(' OR ')
    .some((choice) => choice.split(' AND ').every((part) => ALLOWED.has(part.replace(/^\((.*)\)$/, '$1'))));
}

type LockFile = { readonly packages: Readonly<Record<string, { readonly license?: string }>> };

function main(): void {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as LockFile;
  const bad = Object.entries(packages).filter(([, { license = '' }]) => !isAllowed(license));
  for (const [path, { license = 'no licence' }] of bad) console.error(`${path}: ${license}`);
  console.log(`${Object.keys(packages).length} packages, ${bad.length} with another licence`);
  process.exitCode = bad.length === 0 ? 0 : 1;
}

if (import.meta.main) main();
