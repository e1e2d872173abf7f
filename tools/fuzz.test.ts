/** Every fuzz target takes its seeds and everything its corpus keeps, on each run of the tests. */
import { test } from 'node:test';
import { fuzzTargets, loadTarget, readCorpus } from './fuzz.ts';

for (const path of fuzzTargets()) {
  test(`${path}: seeds and corpus`, async () => {
    const target = await loadTarget(path);
    const seeds = target.seeds.map((octets, index) => ({ name: `seed ${index}`, octets }));
    for (const { name, octets } of [...seeds, ...readCorpus(path)]) {
      try {
        await target.fuzz(octets);
      } catch (cause) {
        throw new Error(`${path}: broken by ${name}`, { cause });
      }
    }
  });
}
