/**
 * The file of the embedded queue: its tables, and how messages and recipients become rows and back. What each row is for
 * and when it is written: docs/queue.md.
 */
import type { Row } from '../../sqlite/database.ts';
import { numberAt, octetsAt, optionalNumberAt, optionalTextAt, textAt } from '../../sqlite/database.ts';
import { applicationId } from '../../sqlite/migrate.ts';
import type { FileKind } from '../../sqlite/migrate.ts';
import { ownOctets } from '../../sqlite/writer.ts';
import { toBlobPlace } from '../../store/blob-store.ts';
import { known, toAccountId, toBlobId } from '../../store/ids.ts';
import { domainOf, firstState, senderKey } from '../progress.ts';
import { HELD_BY_OPERATOR, toQueueId } from '../queue.ts';
import type {
  DeliverBy,
  LastAnswer,
  NewQueuedMessage,
  NewRecipient,
  QueuedMessage,
  QueuedRecipient,
  RecipientState,
  Route,
} from '../queue.ts';

/** No table changes: a program that does not know them would send to another port. */
export const REMOTE_PORT = '-- recipient.recipient: port and speech of a remote route';

export const QUEUE_FILE: FileKind = {
  name: 'queue',
  applicationId: applicationId('PRqu'),
  migrations: [
    `
    CREATE TABLE message (
      id TEXT PRIMARY KEY,
      due_at INTEGER,
      next_at INTEGER,
      lease_owner TEXT,
      lease_until INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX message_next ON message (next_at, id) WHERE next_at IS NOT NULL;
    CREATE INDEX message_lease ON message (lease_owner) WHERE lease_owner IS NOT NULL;
    CREATE TABLE envelope (
      id TEXT PRIMARY KEY,
      sender TEXT NOT NULL,
      place INTEGER NOT NULL,
      octets INTEGER NOT NULL,
      blob_id TEXT NOT NULL,
      envelope TEXT NOT NULL,
      prefix BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX envelope_place ON envelope (place);
    CREATE TABLE recipient (
      id TEXT NOT NULL,
      number INTEGER NOT NULL,
      state INTEGER NOT NULL,
      due_at INTEGER,
      address TEXT NOT NULL,
      domain TEXT NOT NULL,
      recipient TEXT NOT NULL,
      progress TEXT NOT NULL,
      PRIMARY KEY (id, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE counter (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      messages INTEGER NOT NULL,
      recipients INTEGER NOT NULL,
      held INTEGER NOT NULL
    ) STRICT;
    INSERT INTO counter VALUES (1, 0, 0, 0);
    `,
    `
    ALTER TABLE message ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
    UPDATE message SET priority = coalesce(
      (SELECT json_extract(e.envelope, '$.priority') FROM envelope e WHERE e.id = message.id AND json_valid(e.envelope)), 0);
    DROP INDEX message_next;
    CREATE INDEX message_next ON message (priority, next_at, id) WHERE next_at IS NOT NULL;
    ALTER TABLE envelope ADD COLUMN account INTEGER
      AS (CASE WHEN json_valid(envelope) THEN json_extract(envelope, '$.account') END) VIRTUAL;
    ALTER TABLE envelope ADD COLUMN source TEXT
      AS (CASE WHEN json_valid(envelope) THEN json_extract(envelope, '$.remote') END) VIRTUAL;
    ALTER TABLE envelope ADD COLUMN arrived_at REAL
      AS (CASE WHEN json_valid(envelope) THEN json_extract(envelope, '$.arrivedAtMs') END) VIRTUAL;
    ALTER TABLE recipient ADD COLUMN hold TEXT
      AS (CASE WHEN json_valid(progress) THEN json_extract(progress, '$.hold') END) VIRTUAL;
    ALTER TABLE recipient ADD COLUMN reason TEXT
      AS (CASE WHEN json_valid(progress) THEN json_extract(progress, '$.lastAnswer.reason') END) VIRTUAL;
    ALTER TABLE recipient ADD COLUMN status TEXT
      AS (CASE WHEN json_valid(progress) THEN json_extract(progress, '$.lastAnswer.status') END) VIRTUAL;
    ALTER TABLE recipient ADD COLUMN host TEXT
      AS (CASE WHEN json_valid(progress) THEN lower(json_extract(progress, '$.lastAnswer.host')) END) VIRTUAL;
    ALTER TABLE recipient ADD COLUMN answer TEXT
      AS (CASE WHEN json_valid(progress) THEN lower(json_extract(progress, '$.lastAnswer.text')) END) VIRTUAL;
    UPDATE recipient SET progress = json_set(progress, '$.hold', 'operator')
      WHERE state = 1 AND json_valid(progress);
    CREATE INDEX recipient_group ON recipient (domain, state, hold, reason, status, due_at, id)
      WHERE state < 2 AND progress <> '{"attempts":0,"delayReported":false}';
    CREATE TABLE suspension (
      scope TEXT PRIMARY KEY,
      since INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    `,
    `
    ALTER TABLE envelope ADD COLUMN release_at INTEGER;
    UPDATE envelope SET release_at = CAST(json_extract(envelope, '$.releaseAtMs') AS INTEGER)
      WHERE json_valid(envelope) AND json_extract(envelope, '$.releaseAtMs') IS NOT NULL;
    CREATE INDEX envelope_release ON envelope (account, release_at, octets) WHERE release_at IS NOT NULL;
    `,
    REMOTE_PORT,
    `
    CREATE INDEX recipient_backlog ON recipient (domain, id)
      WHERE state = 0 AND progress <> '{"attempts":0,"delayReported":false}';
    `,
  ],
};

/** The columns that {@link decodeMessage} takes, then those that `checkQueue` looks at. */
export const SELECT_MESSAGE = `
  SELECT m.id, m.lease_owner, m.lease_until, e.place, e.octets, e.blob_id, e.envelope, e.prefix, m.due_at, m.next_at
  FROM message m JOIN envelope e ON e.id = m.id WHERE m.id = ?`;
export const SELECT_RECIPIENTS =
  'SELECT number, recipient, state, due_at, progress FROM recipient WHERE id = ? ORDER BY number';

/** The column `recipient.progress` of one that waits and was never tried; the index of groups leaves such out. */
export const UNTRIED = '{"attempts":0,"delayReported":false}';

/** The column `recipient.state`. */
export const STATE = { waiting: 0, held: 1, settled: 2 } as const;

/** A message on its way to the writer: encoded by the thread that has it, so that the writer only binds and runs. */
export type EncodedMessage = {
  readonly id: string;
  readonly sender: string;
  readonly place: number;
  readonly octets: number;
  readonly blobId: string;
  readonly envelope: string;
  readonly prefix: Uint8Array;
  readonly releaseAtMs: number | null;
  readonly priority: number;
  /** Of each recipient. */
  readonly first: EncodedState;
  readonly recipients: readonly EncodedRecipient[];
};

export type EncodedRecipient = {
  readonly address: string;
  readonly domain: string;
  readonly recipient: string;
};

export type EncodedState = {
  readonly state: number;
  readonly dueAtMs: number | null;
  readonly progress: string;
};

/** JSON knows no undefined: a field that is not there means it, or what it was before there was such a field. */
type StoredEnvelope = {
  readonly reversePath: string | null;
  readonly body: NewQueuedMessage['body'];
  readonly smtpUtf8: boolean;
  readonly ret?: 'full' | 'hdrs';
  readonly envid?: string;
  /** Not there: 0. */
  readonly priority?: number;
  /** Not there: false. */
  readonly requireTls?: boolean;
  readonly tlsOptional?: boolean;
  readonly deliverBy?: DeliverBy;
  readonly arrivedAtMs: number;
  readonly releaseAtMs?: number;
  readonly releaseRequest?: string;
  readonly expiresAtMs: number;
  readonly kind: NewQueuedMessage['source']['kind'];
  readonly remote?: string;
  readonly helo?: string;
  readonly account?: number;
};

type StoredRecipient = {
  readonly forwardPath: string;
  /** Local. */
  readonly account?: number;
  readonly detail?: string;
  /** Remote. */
  readonly domain?: string;
  readonly port?: number;
  readonly speech?: 'smtps' | 'lmtp';
  readonly notify?: NonNullable<NewRecipient['notify']>;
  readonly originalRecipient?: string;
  readonly reversePath?: string;
  readonly forwardedFrom?: string;
};

type StoredAnswer = Omit<LastAnswer, 'host'> & { readonly host?: string };
type StoredProgress = {
  readonly attempts?: number;
  readonly delayReported?: boolean;
  readonly expired?: true;
  readonly askedAtMs?: number;
  /** Of a held one. */
  readonly hold?: string;
  readonly outcome?: Extract<RecipientState, { kind: 'settled' }>['outcome'];
  readonly atMs?: number;
  readonly lastAnswer?: StoredAnswer;
};

export function encodeMessage(message: NewQueuedMessage): EncodedMessage {
  if (message.recipients.length === 0) throw new TypeError('A queued message has at least one recipient');
  const { id, blob, source, dsn } = message;
  const envelope = {
    reversePath: message.reversePath,
    body: message.body,
    smtpUtf8: message.smtpUtf8,
    ret: dsn.ret,
    envid: dsn.envid,
    priority: message.priority === 0 ? undefined : message.priority,
    requireTls: message.requireTls || undefined,
    tlsOptional: message.tlsOptional || undefined,
    deliverBy: message.deliverBy,
    arrivedAtMs: message.arrivedAtMs,
    releaseAtMs: message.releaseAtMs,
    releaseRequest: message.releaseRequest,
    expiresAtMs: message.expiresAtMs,
    kind: source.kind,
    remote: source.remote,
    helo: source.helo,
    account: source.account,
  };
  return {
    id,
    sender: senderKey(message.reversePath),
    place: blob.place,
    octets: blob.octets,
    blobId: blob.id,
    envelope: JSON.stringify(envelope),
    prefix: ownOctets(message.prefix),
    releaseAtMs: message.releaseAtMs === undefined ? null : Math.trunc(message.releaseAtMs),
    priority: message.priority,
    first: encodeState(firstState(message)),
    recipients: message.recipients.map(encodeRecipient),
  };
}

export function encodeRecipient(recipient: NewRecipient): EncodedRecipient {
  const { forwardPath, route, notify, originalRecipient, reversePath, forwardedFrom } = recipient;
  const where =
    route.kind === 'local'
      ? { account: route.account, detail: route.detail }
      : { domain: route.domain, port: route.port, speech: route.speech };
  return {
    address: forwardPath.toLowerCase(),
    domain: domainOf(forwardPath, route),
    recipient: JSON.stringify({
      forwardPath,
      ...where,
      notify,
      originalRecipient,
      reversePath,
      forwardedFrom,
    }),
  };
}

export function encodeState(state: RecipientState): EncodedState {
  const { kind, lastAnswer } = state;
  if (kind === 'settled')
    return {
      state: STATE.settled,
      dueAtMs: null,
      progress: JSON.stringify({ outcome: state.outcome, atMs: state.atMs, lastAnswer }),
    };
  const { attempts, delayReported } = state;
  if (kind === 'held')
    return {
      state: STATE.held,
      dueAtMs: null,
      progress: JSON.stringify({ attempts, delayReported, hold: state.reason, lastAnswer }),
    };
  return {
    state: STATE.waiting,
    dueAtMs: Math.trunc(state.dueAtMs),
    progress: JSON.stringify({
      attempts,
      delayReported,
      expired: state.expired,
      askedAtMs: state.askedAtMs,
      lastAnswer,
    }),
  };
}

/** Columns: state, due_at, progress, from `column` on. */
export function decodeState(row: Row, column: number): RecipientState {
  const progress: StoredProgress = JSON.parse(textAt(row, column + 2));
  const { attempts = 0, delayReported = false, hold = HELD_BY_OPERATOR, expired, askedAtMs } = progress;
  const lastAnswer = decodeAnswer(progress.lastAnswer);
  switch (numberAt(row, column)) {
    case STATE.waiting:
      return {
        kind: 'waiting',
        dueAtMs: numberAt(row, column + 1),
        attempts,
        lastAnswer,
        delayReported,
        ...(expired === undefined ? {} : { expired }),
        ...(askedAtMs === undefined ? {} : { askedAtMs }),
      };
    case STATE.held:
      return { kind: 'held', reason: hold, attempts, lastAnswer, delayReported };
    case STATE.settled: {
      const { outcome = 'failed', atMs = 0 } = progress;
      return { kind: 'settled', outcome, atMs, lastAnswer };
    }
    default:
      throw new TypeError(`A recipient of the queue has the state ${numberAt(row, column)}`);
  }
}

function decodeAnswer(stored: StoredAnswer | undefined): LastAnswer | undefined {
  if (stored === undefined) return undefined;
  const { atMs, host, status, text, reason, tls } = stored;
  return { atMs, host, status, text, reason, ...(tls === undefined ? {} : { tls }) };
}

/** Columns: number, recipient, state, due_at, progress. */
export function decodeRecipient(row: Row): QueuedRecipient {
  const stored: StoredRecipient = JSON.parse(textAt(row, 1));
  const { forwardPath, notify, originalRecipient, reversePath, forwardedFrom } = stored;
  return {
    forwardPath,
    route: decodeRoute(stored),
    notify,
    originalRecipient,
    ...(reversePath === undefined ? {} : { reversePath }),
    ...(forwardedFrom === undefined ? {} : { forwardedFrom }),
    number: numberAt(row, 0),
    state: decodeState(row, 2),
  };
}

function decodeRoute({ domain, port, speech, account, detail }: StoredRecipient): Route {
  if (domain !== undefined)
    return {
      kind: 'remote',
      domain,
      ...(port === undefined ? {} : { port }),
      ...(speech === undefined ? {} : { speech }),
    };
  return { kind: 'local', account: known(toAccountId(account ?? 0)), detail };
}

/**
 * @param row id, lease_owner, lease_until, place, octets, blob_id, envelope, prefix
 * @param recipients as {@link decodeRecipient} takes them, by number
 */
export function decodeMessage(row: Row, recipients: readonly Row[]): QueuedMessage {
  const stored: StoredEnvelope = JSON.parse(textAt(row, 6));
  const owner = optionalTextAt(row, 1);
  const untilMs = optionalNumberAt(row, 2);
  return {
    id: known(toQueueId(textAt(row, 0))),
    blob: {
      id: known(toBlobId(textAt(row, 5))),
      octets: numberAt(row, 4),
      place: known(toBlobPlace(numberAt(row, 3))),
    },
    prefix: octetsAt(row, 7),
    reversePath: stored.reversePath,
    body: stored.body,
    smtpUtf8: stored.smtpUtf8,
    dsn: { ret: stored.ret, envid: stored.envid },
    priority: stored.priority ?? 0,
    requireTls: stored.requireTls ?? false,
    tlsOptional: stored.tlsOptional ?? false,
    deliverBy: stored.deliverBy,
    arrivedAtMs: stored.arrivedAtMs,
    releaseAtMs: stored.releaseAtMs,
    releaseRequest: stored.releaseRequest,
    expiresAtMs: stored.expiresAtMs,
    source: {
      kind: stored.kind,
      remote: stored.remote,
      helo: stored.helo,
      account: stored.account === undefined ? undefined : known(toAccountId(stored.account)),
    },
    recipients: recipients.map(decodeRecipient),
    lease: owner === undefined || untilMs === undefined ? undefined : { owner, untilMs },
  };
}
