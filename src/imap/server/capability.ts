/** What is offered, by state. A client that signs in over TLS is told the whole list in the completion (RFC 9051 §7.2.2). */
import { offeredOn } from '../../auth/sign-in.ts';
import type { TlsInfo } from '../../base/connection.ts';
import type { ImapDeps, ImapLimits } from './ports.ts';
import type { State } from './state.ts';

const ALWAYS = ['IMAP4rev1', 'IMAP4rev2', 'LITERAL+', 'SASL-IR', 'ID', 'ENABLE', 'LANGUAGE'] as const;
const SIGNED_IN = [
  'ACL',
  'APPENDLIMIT',
  'BINARY',
  'CATENATE',
  'CHILDREN',
  'COMPRESS=DEFLATE',
  'CONDSTORE',
  'CONTEXT=SEARCH',
  'CONTEXT=SORT',
  'CREATE-SPECIAL-USE',
  'ESEARCH',
  'ESORT',
  'I18NLEVEL=1',
  'FILTERS',
  'IDLE',
  'INPROGRESS',
  'LIST-EXTENDED',
  'LIST-METADATA',
  'LIST-MYRIGHTS',
  'LIST-STATUS',
  'METADATA',
  'MOVE',
  'MULTIAPPEND',
  'MULTISEARCH',
  'NAMESPACE',
  'NOTIFY',
  'OBJECTID',
  'PARTIAL',
  'PREVIEW',
  'QRESYNC',
  'QUOTA',
  'QUOTA=RES-MAILBOX',
  'QUOTA=RES-STORAGE',
  'REPLACE',
  'RIGHTS=texk',
  'SAVEDATE',
  'SEARCH=FUZZY',
  'SEARCHRES',
  'SORT',
  'SORT=DISPLAY',
  'SPECIAL-USE',
  'STATUS=SIZE',
  'THREAD=ORDEREDSUBJECT',
  'THREAD=REFERENCES',
  'UIDONLY',
  'UIDPLUS',
  'UNAUTHENTICATE',
  'UNSELECT',
  'URLAUTH',
  'URLAUTH=BINARY',
  'UTF8=ACCEPT',
  'WITHIN',
] as const;

/** RFC 9738 §3: one or the other. */
function messageLimit({ messagesMax, savedMessagesMax }: ImapLimits): readonly string[] {
  if (messagesMax < Infinity) return [`MESSAGELIMIT=${messagesMax}`];
  return savedMessagesMax < Infinity ? [`SAVELIMIT=${savedMessagesMax}`] : [];
}

/** @param tls of the connection, where it is under TLS: nobody signs in without it (RFC 9051 §11.3) */
export function capabilities(state: State, tls: TlsInfo | undefined, deps: ImapDeps): readonly string[] {
  if (state.phase !== 'not-authenticated')
    return [
      ...ALWAYS,
      ...SIGNED_IN.filter((name) => name !== 'COMPRESS=DEFLATE' || deps.compress !== undefined).map((name) =>
        name === 'APPENDLIMIT' ? `APPENDLIMIT=${deps.limits.messageOctetsMax}` : name,
      ),
      ...messageLimit(deps.limits),
    ];
  if (tls !== undefined) {
    const offered = offeredOn(deps.signIn, tls).map(({ name }) => `AUTH=${name}`);
    // RFC 9051 §6.2.3: LOGIN is as good as PLAIN.
    return [...ALWAYS, ...offered, ...(deps.signIn.allowed().has('PLAIN') ? [] : ['LOGINDISABLED'])];
  }
  return [...ALWAYS, ...(deps.tlsAvailable ? ['STARTTLS'] : []), 'LOGINDISABLED'];
}
