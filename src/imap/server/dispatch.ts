/** From a command to its handler. One row a verb; the compiler keeps the table whole. */
import { unreachable } from '../../base/unreachable.ts';
import type { Command } from '../wire/command.ts';
import type { Context, Outcome, Replies } from './command-context.ts';
import { deleteAcl, getAcl, listRights, myRights, setAcl } from './commands/acl.ts';
import { copy, expunge } from './commands/copy.ts';
import { fetch } from './commands/fetch.ts';
import { language } from './commands/language.ts';
import { list, lsub, namespace } from './commands/list.ts';
import { create, remove, rename, subscribe } from './commands/mailbox.ts';
import { esearch } from './commands/esearch.ts';
import { getMetadata, setMetadata } from './commands/metadata.ts';
import { notify } from './commands/notify.ts';
import { getQuota, getQuotaRoot, setQuota } from './commands/quota.ts';
import { cancelUpdate, search } from './commands/search.ts';
import { select } from './commands/select.ts';
import { close, enable, id, unselect } from './commands/session.ts';
import { sort } from './commands/sort.ts';
import { status } from './commands/status.ts';
import { store } from './commands/store.ts';
import { thread } from './commands/thread.ts';
import { genUrlAuth, resetKey, urlFetch } from './commands/url-auth.ts';
import type { Selected, SignedIn, State } from './state.ts';

/** Commands that change the connection itself; the driver carries them out. */
export type DriverVerb =
  | 'STARTTLS'
  | 'AUTHENTICATE'
  | 'LOGIN'
  | 'LOGOUT'
  | 'IDLE'
  | 'UNAUTHENTICATE'
  | 'COMPRESS'
  | 'CAPABILITY';
export type DriverCommand = Extract<Command, { verb: DriverVerb }>;
export type HandledCommand = Exclude<Command, { verb: DriverVerb }>;

/** The state was checked against `NEEDS` before; a handler that is reached without it is a bug. */
export function dispatch(state: State, command: HandledCommand, context: Context): Replies {
  switch (command.verb) {
    case 'NOOP':
      return only({ status: 'OK', text: 'Nothing done' });
    case 'ID':
      return id(context);
    case 'LANGUAGE':
      return language(command);
    case 'ENABLE':
      return enable(signedIn(state), command.capabilities, context);
    case 'SELECT':
    case 'EXAMINE':
      return select(signedIn(state), command, context);
    case 'CREATE':
      return create(signedIn(state), command, context);
    case 'DELETE':
      return only(remove(signedIn(state), command, context));
    case 'RENAME':
      return only(rename(signedIn(state), command, context));
    case 'SUBSCRIBE':
    case 'UNSUBSCRIBE':
      return only(subscribe(signedIn(state), command, context));
    case 'LIST':
      return list(signedIn(state), command, context);
    case 'LSUB':
      return lsub(signedIn(state), command, context);
    case 'NAMESPACE':
      return namespace();
    case 'STATUS':
      return status(signedIn(state), command, context);
    case 'NOTIFY':
      return notify(signedIn(state), command, context);
    case 'GETMETADATA':
      return getMetadata(signedIn(state), command, context);
    case 'SETMETADATA':
      return only(setMetadata(signedIn(state), command, context));
    case 'GETQUOTA':
      return getQuota(signedIn(state), command, context);
    case 'GETQUOTAROOT':
      return getQuotaRoot(signedIn(state), command, context);
    case 'SETQUOTA':
      return only(setQuota());
    case 'SETACL':
      return only(setAcl(signedIn(state), command, context));
    case 'DELETEACL':
      return only(deleteAcl(signedIn(state), command, context));
    case 'GETACL':
      return getAcl(signedIn(state), command, context);
    case 'LISTRIGHTS':
      return listRights(signedIn(state), command, context);
    case 'MYRIGHTS':
      return myRights(signedIn(state), command, context);
    case 'GENURLAUTH':
      return genUrlAuth(signedIn(state), command, context);
    case 'RESETKEY':
      return only(resetKey(signedIn(state), command, context));
    case 'URLFETCH':
      return urlFetch(signedIn(state), command, context);
    case 'CHECK':
      // RFC 3501 §6.4.1: everything is on stable storage already.
      return only({ status: 'OK', text: 'All is kept' });
    case 'CLOSE':
      return only(close(selected(state), context));
    case 'UNSELECT':
      return only(unselect(selected(state)));
    case 'EXPUNGE':
      return expunge(selected(state), command, context);
    case 'SEARCH':
      return search(selected(state), command, context);
    case 'FETCH':
      return fetch(selected(state), command, context);
    case 'STORE':
      return store(selected(state), command, context);
    case 'COPY':
    case 'MOVE':
      return copy(selected(state), command, context);
    case 'ESEARCH':
      return esearch(signedIn(state), command, context);
    case 'CANCELUPDATE':
      return only(cancelUpdate(selected(state), command));
    case 'SORT':
      return sort(selected(state), command, context);
    case 'THREAD':
      return thread(selected(state), command, context);
    default:
      return unreachable(command);
  }
}

// oxlint-disable-next-line require-yield -- a command with nothing to say but how it ended
async function* only(outcome: Outcome | Promise<Outcome>): Replies {
  return await outcome;
}

function signedIn(state: State): SignedIn {
  if (state.phase !== 'authenticated' && state.phase !== 'selected')
    throw new TypeError('Nobody is signed in');
  return state;
}

function selected(state: State): Selected {
  if (state.phase !== 'selected') throw new TypeError('No mailbox is selected');
  return state;
}
