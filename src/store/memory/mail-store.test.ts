import { FakeClock } from '../../../test/support/fake-clock.ts';
import { mailStoreContract } from '../mail-store.contract.ts';
import { openMemoryMailStore } from './mail-store.ts';

mailStoreContract('memory', () =>
  Promise.resolve({ store: openMemoryMailStore(new FakeClock()), close: () => Promise.resolve() }),
);
