/**
 * What is submitted is kept and sent without the fields that name blind copies (RFC 5322 §3.6.3: the first way). A submission
 * server may change a message so (RFC 6409 §8), and only its header: what is signed inside it stays as it is.
 */
import { FieldDropper } from '../message/field-dropper.ts';
import type { Intake, MaybePromise, MessageSink } from '../smtp/server/ports.ts';

const BLIND = ['bcc', 'resent-bcc'];

/** The same intake, for listeners of submission. */
export function withoutBlindCopies(intake: Intake): Intake {
  return {
    begin: (transaction, session) => {
      const sink = intake.begin(transaction, session);
      return sink instanceof Promise ? sink.then(dropping) : dropping(sink);
    },
  };
}

function dropping(sink: MessageSink): MessageSink {
  const dropper = new FieldDropper(BLIND);
  const pass = (octets: Uint8Array): Promise<void> | undefined =>
    octets.length === 0 ? undefined : sink.write(octets);
  return {
    write: (octets) => pass(dropper.push(octets)),
    commit: (message): MaybePromise<Awaited<ReturnType<MessageSink['commit']>>> => {
      const rest = pass(dropper.end());
      return rest === undefined ? sink.commit(message) : rest.then(() => sink.commit(message));
    },
    abort: () => sink.abort(),
  };
}
