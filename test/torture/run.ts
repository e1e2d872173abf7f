/** `npm run torture -- [--rounds N] [--seed N] [--fsck-every N]`: kills a loaded post office again and again. */
import { parseArgs } from 'node:util';
import { torture } from './rounds.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'fsck-every': { type: 'string', default: '25' },
  },
});
const seed = Number(values.seed);
console.log(`seed ${seed}`);
const report = await torture({
  rounds: Number(values.rounds),
  seed,
  fsckEvery: Number(values['fsck-every']),
  tell: (line) => console.log(line),
});
for (const [name, value] of Object.entries(report)) console.log(`${name.padEnd(14)}${Math.round(value)}`);
