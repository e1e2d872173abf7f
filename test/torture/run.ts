/**
 * `npm run torture -- [CHECK …]`: breaks a loaded post office again and again, in the ways that are asked for (all, where
 * none is). Each check ends with a line of figures, and exits with what it found.
 *
 *   kill    killed at random moments (--rounds, --fsck-every)
 *   faults  calls to the disk fail (--points); Linux, needs a C compiler
 *   power   the power goes, in many ways at each of many moments (--cuts); Linux, needs a C compiler
 */
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { injectFaults } from './faults/faults.ts';
import { buildRecorder, cutPower } from './power/cuts.ts';
import { torture } from './rounds.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    rounds: { type: 'string', default: '200' },
    'fsck-every': { type: 'string', default: '25' },
    cuts: { type: 'string', default: '1000' },
    points: { type: 'string', default: '500' },
  },
});
const seed = Number(values.seed);
/** A recording is made of so many moments, each cut in so many ways. */
const MOMENTS = 50;
const WAYS = 20;

const checks: Readonly<Record<string, () => Promise<object>>> = {
  kill: () =>
    torture({
      rounds: Number(values.rounds),
      seed,
      fsckEvery: Number(values['fsck-every']),
      tell: (line) => console.log(line),
    }),
  faults: () => injectFaults({ seed, points: Number(values.points), tell: (line) => console.log(line) }),
  power: cutAgainAndAgain,
};

async function cutAgainAndAgain(): Promise<object> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'postrider-recorder-')));
  const figures = { cuts: 0, acknowledged: 0, verified: 0 };
  try {
    const recorder = await buildRecorder(folder);
    for (let recording = 0; figures.cuts < Number(values.cuts); recording += 1) {
      const options = { seed: seed + recording, moments: MOMENTS, ways: WAYS, recorder };
      const { cuts, acknowledged, verified, findings } = await cutPower(options);
      figures.cuts += cuts;
      figures.acknowledged += acknowledged;
      figures.verified += verified;
      console.log(`seed ${options.seed}: ${figures.cuts} cuts, ${findings.length} findings`);
      if (findings.length > 0) throw new Error(findings.join('\n'));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return figures;
}

console.log(`seed ${seed}`);
for (const name of positionals.length === 0 ? Object.keys(checks) : positionals) {
  const check = checks[name];
  if (check === undefined)
    throw new TypeError(`No check ${name}; there are ${Object.keys(checks).join(', ')}`);
  const figures = Object.entries(await check()).map(([figure, value]) => `${figure} ${Math.round(value)}`);
  console.log(`${name}: ${figures.join(', ')}`);
}
