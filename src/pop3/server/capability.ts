/** What CAPA lists, by state. Sources: RFC 2449 §5 and §6, RFC 2595 §4, RFC 3206 §3, RFC 5034 §3, RFC 6856 §2 and §3. */
import { offeredOn } from '../../auth/sign-in.ts';
import type { TlsInfo } from '../../base/connection.ts';
import type { Pop3Deps } from './ports.ts';

const ALWAYS = ['TOP', 'UIDL', 'RESP-CODES', 'AUTH-RESP-CODE', 'PIPELINING', 'EXPIRE NEVER', 'LANG'] as const;

/** Whether USER and PASS are as good as PLAIN here. */
export function takesPasswords({ signIn }: Pop3Deps, tls: TlsInfo | undefined): boolean {
  return tls !== undefined && signIn.allowed().has('PLAIN');
}

export function capabilities(
  isSignedIn: boolean,
  tls: TlsInfo | undefined,
  deps: Pop3Deps,
): readonly string[] {
  // RFC 2449 §6.9: who is let in may know what runs here.
  if (isSignedIn) return [...ALWAYS, 'UTF8 USER', `IMPLEMENTATION Postrider-${deps.version}`];
  const mechanisms = tls === undefined ? [] : offeredOn(deps.signIn, tls).map(({ name }) => name);
  return [
    ...ALWAYS,
    'UTF8 USER',
    ...(tls === undefined && deps.tlsAvailable ? ['STLS'] : []),
    ...(takesPasswords(deps, tls) ? ['USER'] : []),
    ...(mechanisms.length > 0 ? [`SASL ${mechanisms.join(' ')}`] : []),
  ];
}
