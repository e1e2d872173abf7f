/** Why a command was not done: a stable kind for programs, a sentence for people. */
import type { DirectoryProblem } from '../../auth/directory.ts';

export type ControlProblem = {
  readonly kind: ControlProblemKind;
  readonly message: string;
};

export type ControlProblemKind =
  | DirectoryProblem['kind']
  /** The request is not what the method takes: a bug of the asker, or another version of it. */
  | 'bad-request'
  | 'unknown-method'
  /** Several of that name: more of it must be said. */
  | 'ambiguous'
  /** The world: a full disk, a database that cannot be read. Nothing was changed. */
  | 'fault'
  /** Only a running server can do it. */
  | 'not-running';

/** @param subject what was asked about: an address, a domain, a name */
export function directoryProblem({ kind }: DirectoryProblem, subject: string): ControlProblem {
  return { kind, message: `${JSON.stringify(subject)} ${WORDS[kind]}` };
}

const WORDS: Readonly<Record<DirectoryProblem['kind'], string>> = {
  exists: 'exists already',
  'not-found': 'is not there',
  'bad-address': 'is not well-formed, or one of its targets is not',
  'no-such-domain': 'is at a domain that is not ours',
  'in-use': 'still has accounts or aliases',
  loop: 'would lead back to itself',
  'too-many': 'would go beyond a limit (targets, aliases in a row, app passwords, or certificates)',
  'bad-name': 'has a name that is empty, too long, or holds control characters',
  'bad-password': 'has a password that is empty or longer than 1,024 octets',
  'bad-fingerprint': 'is not the SHA-256 fingerprint of a certificate: 64 hexadecimal digits',
  'bad-owner':
    'cannot be a list with this owner: it is no address, the alias is a catch-all, or VERP lacks one',
  'bad-secret': 'was given a secret that is not 16 to 256 printable ASCII characters',
};
