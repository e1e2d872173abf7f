/** What delivery must know of a message's octets, gathered in one pass while they stream by; nothing is kept of them. */
import { LIMITS } from '../base/limits.ts';
import type { MessageDigest } from '../message/digest.ts';
import { digestMessage, messageIdOf, subjectOf } from '../message/digest.ts';
import { unfold } from '../message/header.ts';
import { createScanner } from '../message/scan.ts';
import type { BlobRef, BlobStore } from '../store/blob-store.ts';

export type MessageFacts = {
  /** Of the octets received, without any prefix. Made when a mailbox first needs it: mail for other hosts never does. */
  readonly digest: () => MessageDigest;
  /** As in the digest. */
  readonly messageId: string | undefined;
  readonly subject: string;
  /** RFC 5321 §6.3: how many hosts it says it has passed. */
  readonly receivedFields: number;
  /** Of them, the hosts that say that they took it and under which id, in lower case. */
  readonly receivedBy: readonly string[];
  /** RFC 9228 §4: the addresses it was delivered to before, in lower case. */
  readonly deliveredTo: readonly string[];
  /** RFC 8689 §3: it has the field `TLS-Required: No`, once. */
  readonly tlsRequiredNo: boolean;
};

export type FactsGatherer = {
  push(chunk: Uint8Array): void;
  /** Once, after the last chunk. */
  end(): MessageFacts;
};

export function gatherFacts(): FactsGatherer {
  const scanner = createScanner();
  return {
    push: (chunk) => scanner.push(chunk),
    end: () => {
      const scanned = scanner.end();
      let receivedFields = 0;
      const receivedBy: string[] = [];
      const deliveredTo: string[] = [];
      const tlsRequired: string[] = [];
      for (const field of scanned.root.fields) {
        if (field.key === 'received') {
          receivedFields += 1;
          const by =
            receivedFields > LIMITS.receivedFieldsMax ? undefined : RECEIVED_BY.exec(unfold(field.raw))?.[1];
          if (by !== undefined) receivedBy.push(by.toLowerCase());
        }
        if (field.key === 'tls-required') tlsRequired.push(unfold(field.raw).trim().toLowerCase());
        if (field.key === 'delivered-to' && deliveredTo.length < LIMITS.receivedFieldsMax)
          deliveredTo.push(toAddress(field.raw));
      }
      let digest: MessageDigest | undefined;
      return {
        digest: () => (digest ??= digestMessage(scanned)),
        messageId: messageIdOf(scanned.root.fields),
        subject: subjectOf(scanned.root.fields),
        receivedFields,
        receivedBy,
        deliveredTo,
        tlsRequiredNo: isOnlyNo(tlsRequired),
      };
    },
  };
}

/** `by HOST with ESMTP id ID`, as we write it. */
const RECEIVED_BY = /\bby\s+([^\s;()]+)\s+with\s+\S+\s+id\s+[0-9A-Za-z]/i;

export async function gatherFromBlob(blobs: BlobStore, blob: BlobRef): Promise<MessageFacts> {
  const gatherer = gatherFacts();
  for await (const chunk of blobs.stream(blob)) gatherer.push(chunk);
  return gatherer.end();
}

function isOnlyNo([first, ...others]: readonly string[]): boolean {
  return first === 'no' && others.length === 0;
}

/** Field text is raw: octets beyond ASCII become the UTF-8 that they are (RFC 6532 §3.2). */
function toAddress(raw: string): string {
  const text = unfold(raw).replace(/^<(.*)>$/, '$1');
  return Buffer.from(text, 'latin1').toString('utf8').toLowerCase();
}
