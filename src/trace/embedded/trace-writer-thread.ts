/** The entry of the thread that writes traces. It speaks as `sqlite/writer-thread.ts` does. */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { runOperation, toErrorMessage } from '../../sqlite/writer.ts';
import type { AnswerMessage, CallMessage, ThreadMessage } from '../../sqlite/writer.ts';
import { TraceWriter } from './trace-writer.ts';
import type { TraceOperations, TraceWriterOptions } from './trace-writer.ts';

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}

function serve(port: MessagePort, table: TraceOperations): void {
  port.on('message', (calls: readonly CallMessage[]) => {
    const answers = calls.map(([id, , name, , args]): AnswerMessage => {
      try {
        return [id, true, runOperation(table, name, args)];
      } catch (error) {
        return [id, false, toErrorMessage(error)];
      }
    });
    port.postMessage(answers);
  });
}

try {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `startTraceWriter` gave it
  const options = workerData as Omit<TraceWriterOptions, 'nowMs'>;
  const writer = new TraceWriter({ ...options, nowMs: () => Date.now() });
  const table: TraceOperations = { append: (batch) => writer.append(batch) };
  parentPort?.on('message', (message: { kind: 'connect'; port: MessagePort } | { kind: 'close' }) => {
    if (message.kind === 'connect') return serve(message.port, table);
    writer[Symbol.dispose]();
    // oxlint-disable-next-line unicorn/no-process-exit -- ends this thread only; open ports would keep it
    process.exit(0);
  });
  tell({ kind: 'ready' });
} catch (error) {
  tell({ kind: 'failed', error: toErrorMessage(error) });
}
