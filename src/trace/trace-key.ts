/**
 * What a trace is found by, as one text: `a:bob@example.org`, `c:192.0.2.1`, `m:1@example.org`, `o:failed`. Pure.
 *
 * Addresses are in the form in which the directory compares them; one with a detail is found under its base too.
 */
import { toAddressKey } from '../auth/address-key.ts';
import type { Brand } from '../base/brand.ts';
import { LIMITS } from '../base/limits.ts';
import { known } from '../store/ids.ts';

export type TraceKey = Brand<string, 'TraceKey'>;
export type TraceKeyKind = 'address' | 'client' | 'message-id' | 'outcome';

/** @param value '' as an address is the null reverse-path */
export function toTraceKeys(kind: TraceKeyKind, value: string): readonly TraceKey[] {
  switch (kind) {
    case 'address':
      return addressForms(value).map((form) => key('a', form));
    case 'client':
      return [key('c', value.toLowerCase())];
    case 'message-id':
      return [key('m', value)];
    case 'outcome':
      return [key('o', value)];
  }
}

/** An address as it is compared, without its detail last where it has one. */
export function addressForms(address: string): readonly string[] {
  if (address === '') return ['<>'];
  // What nearly all addresses look like costs no IDNA.
  if (PLAIN.test(address)) return [address.toLowerCase()];
  const found = toAddressKey(address);
  if (found === undefined) return [address.toLowerCase()];
  return found.key === found.baseKey ? [found.key] : [found.key, found.baseKey];
}

const PLAIN =
  /^[a-z0-9_=/-]{1,64}(?:\.[a-z0-9_=/-]{1,64})*@(?:(?!xn--)[a-z0-9](?:[a-z0-9-]{0,62})\.)+[a-z]{2,63}$/i;

function key(kind: string, value: string): TraceKey {
  // Keys are handed on with line ends between them, and PostgreSQL has no NUL in text.
  const text = value.slice(0, LIMITS.traceKeyCharactersMax).replaceAll(/[\n\0]/g, ' ');
  return known(toTraceKey(`${kind}:${text}`));
}

function isTraceKey(text: string): text is TraceKey {
  return /^[acmo]:./su.test(text);
}

export function toTraceKey(text: string): TraceKey | undefined {
  return isTraceKey(text) ? text : undefined;
}
