/** What the intake is told of sessions and transactions: the shapes of the SMTP session's facts, which is not imported. */
import type { Principal } from '../auth/principal.ts';
import type { NewQueuedMessage } from '../queue/queue.ts';
import type { MailParameters, RcptParameters } from '../smtp/wire/parameter.ts';
import type { ForwardPath, ReversePath } from '../smtp/wire/path.ts';
import { formatEnvelopeAddress } from '../smtp/wire/path.ts';
import type { Reply } from '../smtp/wire/reply.ts';

/** What is asked of a session's facts. */
export type IntakeSession = {
  /** `local`: of a program of this machine, which is not there any more to be told no. */
  readonly role: { readonly name: 'relay' | 'submission' | 'lmtp' | 'local' };
  readonly remote: { readonly address: string };
  readonly hello: { readonly domain: string } | undefined;
  readonly principal: Principal | undefined;
  /** What a trusted forwarder said of where the message came from before. */
  readonly forwarded?:
    | { readonly address: string | undefined; readonly helo: string | undefined }
    | undefined;
};

/** What is asked of a transaction's facts. */
export type IntakeTransaction = {
  readonly traceId: string;
  readonly startedAtMs: number;
  readonly reversePath: ReversePath;
  readonly parameters: MailParameters;
  readonly recipients: readonly { readonly forwardPath: ForwardPath; readonly parameters: RcptParameters }[];
};

/** Whom the checks refused where nobody is there to be told: the sender gets a report. */
export type RefusedRecipient = {
  readonly recipient: IntakeTransaction['recipients'][number];
  readonly reply: Reply;
  readonly reason: string;
};

export type IntakeRefusal = { readonly kind: 'refuse'; readonly reply: Reply; readonly reason: string };

export function reversePathOf({ reversePath }: IntakeTransaction): string | null {
  return reversePath === null ? null : formatEnvelopeAddress(reversePath);
}

export function sourceOf({
  role,
  remote,
  hello,
  principal,
  forwarded,
}: IntakeSession): NewQueuedMessage['source'] {
  return {
    kind: role.name === 'relay' ? 'mx' : role.name,
    // What a forwarder says of where it came from is not mixed with what is known of the forwarder.
    remote: role.name === 'local' ? undefined : forwarded === undefined ? remote.address : forwarded.address,
    helo: forwarded === undefined ? hello?.domain : forwarded.helo,
    account: principal?.account,
  };
}

export function refuse(text: Reply, reason: string): IntakeRefusal {
  return { kind: 'refuse', reply: text, reason };
}
