/** Whether a port is nobody's. Session threads share their ports (`SO_REUSEPORT`), and so would another server's. */
import { createServer } from 'node:net';
import { Fault } from '../base/fault.ts';

/** Throws `Fault`, worded as `listen` does, where somebody listens there already or the address is not ours. */
export async function mustBeFree(address: string, port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(new Fault(`Listening on ${address} port ${port}`, cause)));
    server.listen({ host: address, port, ipv6Only: address.includes(':') }, resolve);
  });
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
