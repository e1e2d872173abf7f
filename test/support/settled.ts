/** What became of mail that a server under test sent out, by its log. */
import type { RunningPostrider } from './postrider.ts';

const WAIT_MS = 30_000;

export type Settled = {
  readonly event: 'delivery.settled';
  readonly address: string;
  readonly outcome: string;
  readonly status?: string;
  readonly reason?: string;
  readonly tls?: string;
};

/** The log's word about the last attempt to reach an address. */
export async function settled(server: RunningPostrider, address: string): Promise<Settled> {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    for (const line of server.output().split('\n').toReversed()) {
      if (!line.includes('delivery.settled') || !line.includes(address)) continue;
      return JSON.parse(line) as Settled;
    }
    if (Date.now() > deadline) throw new Error(`Nothing became of ${address}:\n${server.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
