/**
 * A PostgreSQL database as one thread sees it: a few connections, statements prepared once, rows as arrays, transactions
 * that are run again when the database asks for it.
 *
 * What is sent without waiting for the answer before goes in one packet (pipelining): a transaction costs two or three
 * trips to the database, however many statements it has.
 *
 * Errors: `Fault` for all that a database or the way to it can suffer; the driver's own error for a wrong statement.
 */
import { Pool, types } from 'pg';
import type { PoolClient, QueryArrayConfig } from 'pg';
import { Fault } from '../base/fault.ts';
import { LIMITS } from '../base/limits.ts';
import type { Row } from '../sqlite/database.ts';
import { GatheringSocket } from './gathering-socket.ts';
import { isRetryable, toFault } from './sql-state.ts';

/** Arrays go as one parameter, for `unnest` and `ANY`. */
export type Value = number | string | null | Uint8Array | readonly (number | string | null | Uint8Array)[];

export type PostgresOptions = {
  /** `postgres://user@host/database` */
  readonly url: string;
  readonly connectionsMax?: number;
  /** For a connection to be had, and for one statement to be answered. */
  readonly timeoutMs?: number;
};

export type TransactionOptions = {
  /** Answered before it is on stable storage: for what may be forgotten. It comes there within a second. */
  readonly lazy?: boolean;
};

/** All tables are here, so that a database may hold others' too. */
export const SCHEMA = 'postrider';

const TIMEOUT_MS = 30_000;
const IDLE_MS = 60_000;
const ATTEMPTS_MAX = 8;
const RETRY_PAUSE_MS = 5;

/** All our numbers are below 2^53. */
function toNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new TypeError(`The number ${text} of a row is too large`);
  return value;
}

types.setTypeParser(types.builtins.INT8, toNumber);

/** Texts are constants, so a number for each names the prepared statement on every connection. */
const names = new Map<string, string>();

function nameOf(sql: string): string {
  const known = names.get(sql);
  if (known !== undefined) return known;
  const name = `s${names.size}`;
  names.set(sql, name);
  return name;
}

/** Statements for one connection; what they reject with is the driver's own error. */
class Connection {
  readonly #client: PoolClient;

  constructor(client: PoolClient) {
    this.#client = client;
  }

  async query(sql: string, values: readonly Value[]): Promise<{ rows: readonly Row[]; count: number }> {
    const config: QueryArrayConfig<unknown[]> = {
      name: nameOf(sql),
      text: sql,
      values: [...values],
      rowMode: 'array',
    };
    const { rows, rowCount } = await this.#client.query<Row[number][], unknown[]>(config);
    return { rows, count: rowCount ?? 0 };
  }

  /** Without parameters and without rows; may hold several statements. */
  async exec(sql: string): Promise<void> {
    await this.#client.query(sql);
  }
}

/** One transaction. Statements are run in the order in which they were sent, whether or not they were waited for. */
export class Transaction {
  readonly #connection: Connection;
  readonly #writes: Promise<unknown>[] = [];
  #failure: { readonly cause: unknown } | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async rows(sql: string, ...values: readonly Value[]): Promise<readonly Row[]> {
    return (await this.#query(sql, values)).rows;
  }

  async row(sql: string, ...values: readonly Value[]): Promise<Row | undefined> {
    return (await this.#query(sql, values)).rows[0];
  }

  /** Gives the number of rows changed. */
  async run(sql: string, ...values: readonly Value[]): Promise<number> {
    return (await this.#query(sql, values)).count;
  }

  /** Sent now, waited for before the commit. */
  write(sql: string, ...values: readonly Value[]): void {
    const written = this.#query(sql, values);
    // The first failure is kept: `finished` tells it.
    written.catch(() => undefined);
    this.#writes.push(written);
  }

  async exec(sql: string): Promise<void> {
    try {
      await this.#connection.exec(sql);
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  async finished(): Promise<void> {
    await Promise.all(this.#writes);
  }

  /** What the database said first; all that came after it only says that the transaction is broken. */
  get failure(): { readonly cause: unknown } | undefined {
    return this.#failure;
  }

  async #query(sql: string, values: readonly Value[]): ReturnType<Connection['query']> {
    try {
      return await this.#connection.query(sql, values);
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  #failed(cause: unknown): unknown {
    this.#failure ??= { cause };
    return cause;
  }
}

export class Postgres {
  readonly #pool: Pool;
  #closed: Promise<void> | undefined;

  constructor({ url, connectionsMax, timeoutMs = TIMEOUT_MS }: PostgresOptions) {
    this.#pool = new Pool({
      connectionString: withSettings(url),
      application_name: 'postrider',
      max: connectionsMax ?? LIMITS.postgresConnectionsMax,
      connectionTimeoutMillis: timeoutMs,
      statement_timeout: timeoutMs,
      // For a network that swallows everything: the database itself would have ended the statement before.
      query_timeout: timeoutMs * 2,
      idle_in_transaction_session_timeout: timeoutMs,
      idleTimeoutMillis: IDLE_MS,
      keepAlive: true,
      allowExitOnIdle: true,
      pipeline: true,
      stream: () => new GatheringSocket(),
    });
    // A connection that breaks while nobody uses it: the pool has let go of it.
    this.#pool.on('error', () => undefined);
  }

  /** One statement, by itself. */
  async rows(doing: string, sql: string, ...values: readonly Value[]): Promise<readonly Row[]> {
    return (await this.#alone(doing, sql, values)).rows;
  }

  async row(doing: string, sql: string, ...values: readonly Value[]): Promise<Row | undefined> {
    return (await this.#alone(doing, sql, values)).rows[0];
  }

  /** One durable commit of one statement; gives the number of rows changed. */
  async run(doing: string, sql: string, ...values: readonly Value[]): Promise<number> {
    return (await this.#alone(doing, sql, values)).count;
  }

  /**
   * Resolves when what `body` did is on stable storage. Where two transactions stand in each other's way one of them is
   * undone and run again: `body` changes nothing but rows. When it throws, nothing has happened.
   */
  async transaction<Answer>(
    doing: string,
    body: (transaction: Transaction) => Promise<Answer>,
    { lazy = false }: TransactionOptions = {},
  ): Promise<Answer> {
    return this.#transact(doing, lazy ? ['BEGIN', 'SET LOCAL synchronous_commit = off'] : ['BEGIN'], body);
  }

  /** Reads of one instant: everything that `body` asks sees the same commits. */
  async snapshot<Answer>(
    doing: string,
    body: (transaction: Transaction) => Promise<Answer>,
  ): Promise<Answer> {
    return this.#transact(doing, ['BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'], body);
  }

  /** Waits for what is under way. Idempotent. */
  async close(): Promise<void> {
    return (this.#closed ??= this.#pool.end());
  }

  async #alone(doing: string, sql: string, values: readonly Value[]): ReturnType<Connection['query']> {
    return this.#patiently(doing, (connection) => connection.query(sql, values));
  }

  async #transact<Answer>(
    doing: string,
    begin: readonly string[],
    body: (transaction: Transaction) => Promise<Answer>,
  ): Promise<Answer> {
    return this.#patiently(doing, async (connection) => {
      const transaction = new Transaction(connection);
      for (const statement of begin) transaction.write(statement);
      let answer: Answer;
      try {
        answer = await body(transaction);
      } catch (cause) {
        if (transaction.failure !== undefined) throw cause;
        // Its own refusal, or a bug: the connection is as good as before once this is undone.
        await transaction.run('ROLLBACK');
        throw new BodyError(cause);
      }
      // The commit of a transaction that is broken undoes it: what broke it is told by `finished`.
      transaction.write('COMMIT');
      await transaction.finished();
      return answer;
    });
  }

  /** Lends a connection, again and again while the database says that another got in the way. */
  async #patiently<Answer>(doing: string, use: (connection: Connection) => Promise<Answer>): Promise<Answer> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
        return await this.#lend(use);
      } catch (cause) {
        if (cause instanceof BodyError) throw cause.cause;
        if (attempt >= ATTEMPTS_MAX || !isRetryable(cause)) throw toFault(doing, cause);
        // oxlint-disable-next-line no-await-in-loop -- lets the other one finish
        await pause(RETRY_PAUSE_MS * 2 ** attempt);
      }
    }
  }

  async #lend<Answer>(use: (connection: Connection) => Promise<Answer>): Promise<Answer> {
    const client = await this.#pool.connect();
    const broken = { isTrue: false };
    const onError = (): void => {
      broken.isTrue = true;
    };
    client.on('error', onError);
    try {
      return await use(new Connection(client));
    } catch (cause) {
      // After an error nobody knows which statements it still has.
      broken.isTrue ||= !(cause instanceof BodyError);
      throw cause;
    } finally {
      client.off('error', onError);
      client.release(broken.isTrue);
    }
  }
}

/** What the body of a transaction threw, on its way past those who look after the database. */
class BodyError extends Error {
  constructor(cause: unknown) {
    super('', { cause });
  }
}

async function pause(maxMs: number): Promise<void> {
  // Two that met once should not meet again.
  const pauseMs = Math.ceil(maxMs * (0.5 + Math.random() / 2));
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
}

/** Our settings for every connection, behind those in the URL: no database's default may make a commit less than one. */
function withSettings(text: string): string {
  const settings = `-c synchronous_commit=on -c default_transaction_isolation=read\\ committed -c search_path=${SCHEMA}`;
  try {
    const url = new URL(text);
    const given = url.searchParams.get('options');
    url.searchParams.set('options', given === null ? settings : `${given} ${settings}`);
    return url.href;
  } catch (cause) {
    throw new Fault('Reading the URL of the database', cause);
  }
}
