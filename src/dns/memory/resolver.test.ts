import { CONTRACT_ZONE, resolverContract } from '../resolver.contract.ts';
import { MemoryResolver } from './resolver.ts';

resolverContract(async () => ({
  resolver: new MemoryResolver(CONTRACT_ZONE, { authentic: true }),
  [Symbol.asyncDispose]: async () => undefined,
}));
