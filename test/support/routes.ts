/** Routes and targets for tests of delivery, with everything that a test does not care about filled in. */
import type { HopTarget } from '../../src/delivery/remote/hop.ts';
import type { HopSpeech } from '../../src/delivery/remote/router.ts';

/** How a host that MX names is spoken with. */
export const DIRECT: HopSpeech = {
  protocol: 'smtp',
  implicitTls: false,
  tls: 'policy',
  credentials: undefined,
  helloName: 'here.example',
};

export function hopTarget(more: Partial<HopTarget> = {}): HopTarget {
  return {
    host: 'mx.far.example',
    address: '192.0.2.1',
    port: 25,
    protocol: 'smtp',
    implicitTls: false,
    tls: { kind: 'opportunistic' },
    credentials: undefined,
    localAddress: undefined,
    helloName: 'here.example',
    ...more,
  };
}
