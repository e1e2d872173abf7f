import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Fault } from '../base/fault.ts';
import { mustBeFree } from './free-port.ts';

for (const reusePort of [false, true])
  test(`a port where somebody listens${reusePort ? ' and would share it' : ''} is not free`, async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0, reusePort }, resolve));
    const { port } = server.address() as AddressInfo;
    await assert.rejects(
      mustBeFree('127.0.0.1', port),
      (cause) => cause instanceof Fault && cause.message === `Listening on 127.0.0.1 port ${port}`,
    );
    await new Promise((resolve) => server.close(resolve));
    await mustBeFree('127.0.0.1', port);
  });
