/** Commands about the session that need neither a mailbox nor the wire. RFC 9051 §6.1, §6.3.1; RFC 2971; RFC 8437. */
import type { TlsInfo } from '../../../base/connection.ts';
import { capabilities } from '../capability.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { currentRights } from '../mailbox-access.ts';
import type { Enabled, Selected, SignedIn, State } from '../state.ts';

export async function* capability(
  state: State,
  tls: TlsInfo | undefined,
  { deps }: Pick<Context, 'deps'>,
): Replies {
  yield { kind: 'capability', capabilities: capabilities(state, tls, deps) };
  return done('Here they are');
}

/** RFC 2971 §3.1: names no more than a client may know. */
export async function* id({ deps }: Context): Replies {
  yield {
    kind: 'id',
    parameters: new Map([
      ['name', 'Postrider'],
      ['vendor', 'Postrider'],
      ['version', deps.version],
    ]),
  };
  return done('Pleased to meet you');
}

/** RFC 9051 §6.3.1: what is not known is passed over in silence. */
export async function* enable(
  { principal }: SignedIn,
  wanted: readonly string[],
  { deps, enabled, metadata }: Context,
): Replies {
  const now: string[] = [];
  const set = (name: string, ...keys: readonly (keyof Enabled)[]): void => {
    if (keys.every((key) => enabled[key])) return;
    for (const key of keys) enabled[key] = true;
    now.push(name);
  };
  for (const name of wanted) {
    if (name === 'IMAP4REV2') set('IMAP4rev2', 'imap4rev2', 'utf8');
    else if (name === 'UTF8=ACCEPT') set('UTF8=ACCEPT', 'utf8');
    else if (name === 'CONDSTORE') set('CONDSTORE', 'condstore');
    // RFC 7162 §3.2.3: QRESYNC enables CONDSTORE.
    else if (name === 'QRESYNC') set('QRESYNC', 'qresync', 'condstore');
    else if (name === 'UIDONLY') set('UIDONLY', 'uidonly');
    // RFC 5464 §4.1.
    else if (name === 'METADATA' && !metadata.isOn) {
      await metadata.turnOn(principal, deps.store);
      now.push(name);
    }
  }
  yield { kind: 'enabled', capabilities: now };
  return done('Enabled');
}

/** RFC 9051 §6.4.2: leaves, and nothing is expunged. */
export function unselect(state: Selected): Outcome {
  return { ...done('Left the mailbox'), next: { phase: 'authenticated', principal: state.principal } };
}

/** RFC 9051 §6.4.1: leaves, and what is marked \Deleted goes, unless the mailbox was only examined. Nothing is said of it. */
export async function close(state: Selected, { deps }: Context): Promise<Outcome> {
  const { selected } = state;
  // RFC 4314 §4: without the right to it, CLOSE only leaves.
  if (!selected.readOnly && (await currentRights(state, deps)).includes('e'))
    await deps.store.expunge(selected.account, selected.id, undefined);
  return unselect(state);
}
