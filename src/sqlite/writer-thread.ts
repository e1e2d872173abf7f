/**
 * The entry of a writer thread: opens its files, then serves calls that come over ports. One message carries the calls
 * of one turn of a client's event loop; one message per port carries the answers of one group.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import type { Database } from './database.ts';
import { GroupCommit } from './group-commit.ts';
import { DatabaseRefused } from './migrate.ts';
import { openDatabase } from './open-database.ts';
import { runOperation, toErrorMessage } from './writer.ts';
import type {
  AnswerMessage,
  CallMessage,
  Operations,
  ThreadMessage,
  WriterFile,
  WriterModule,
} from './writer.ts';

type Served = { readonly database: Database; readonly table: Operations; readonly group: GroupCommit };

/** Answers of the groups that have just been committed, by the port they go to. */
const answers = new Map<MessagePort, AnswerMessage[]>();
const served = new Map<string, Served>();

function answer(port: MessagePort, message: AnswerMessage): void {
  const list = answers.get(port);
  if (list === undefined) answers.set(port, [message]);
  else list.push(message);
}

function sendAnswers(): void {
  for (const [port, list] of answers) port.postMessage(list);
  answers.clear();
}

function serve(port: MessagePort): void {
  port.on('message', (calls: readonly CallMessage[]) => {
    for (const [id, writer, name, lazy, args] of calls) {
      const to = served.get(writer);
      if (to === undefined) {
        const error = new TypeError(`This thread has no writer ${JSON.stringify(writer)}`);
        answer(port, [id, false, toErrorMessage(error)]);
        sendAnswers();
        continue;
      }
      to.group.add({
        lazy,
        run: () => runOperation(to.table, name, args),
        answer: (value) => answer(port, [id, true, value]),
        refuse: (error) => answer(port, [id, false, toErrorMessage(error)]),
      });
    }
  });
}

async function openFile({ name, file, moduleUrl, options, database: limits }: WriterFile): Promise<void> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- whoever starts the thread names a module of this shape
  const module = (await import(moduleUrl)) as WriterModule<unknown, Operations>;
  const database = openDatabase(file, module.kind, limits);
  const table = module.open(database, options);
  served.set(name, { database, table, group: new GroupCommit(database, sendAnswers) });
}

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}

function close(): void {
  for (const { group, database } of served.values()) {
    group.close();
    database.close();
  }
  sendAnswers();
  // oxlint-disable-next-line unicorn/no-process-exit -- ends this thread only; open ports would keep it
  process.exit(0);
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `startWriterThread` gave it
const files = workerData as readonly WriterFile[];
try {
  for (const file of files) await openFile(file);
  parentPort?.on('message', (message: { kind: 'connect'; port: MessagePort } | { kind: 'close' }) => {
    if (message.kind === 'connect') serve(message.port);
    else close();
  });
  tell({ kind: 'ready' });
} catch (error) {
  for (const { database } of served.values()) database.close();
  if (error instanceof DatabaseRefused)
    tell({ kind: 'refused', file: error.file, fileKind: error.fileKind, refusal: error.refusal });
  else tell({ kind: 'failed', error: toErrorMessage(error) });
}
