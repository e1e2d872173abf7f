/** What the main thread and its session threads say to each other. Plain data: it crosses threads by structured clone. */
import type { MessagePort } from 'node:worker_threads';
import type { Config } from '../config/config.ts';
import type { AdmissionTable } from '../net/admission.ts';
import type { MaildropLockMemory } from './maildrop-locks.ts';
import type { RateMemory } from '../net/rate-table.ts';
import type { Certificate } from '../net/tls-context.ts';
import type { WriterPorts } from './backends.ts';
import type { Listening } from './services.ts';

export type SessionThreadData = {
  /** `session1`, `session2` …: in logs, and as the owner of segments and leases. */
  readonly name: string;
  readonly config: Config;
  readonly certificate: Certificate;
  readonly writers: WriterPorts;
  /** To a thread that hashes passwords. */
  readonly hashes: MessagePort;
  /** To the thread that writes traces, where there is one. */
  readonly traces: MessagePort | undefined;
  readonly admission: AdmissionTable;
  readonly maildropLocks: MaildropLockMemory;
  readonly rates: RateMemory;
  /** From 0: its place in the table. */
  readonly number: number;
  readonly connectionsMax: number;
  readonly runsQueue: boolean;
  readonly loopbackAllowed: boolean;
  readonly version: string;
};

export type ToSessionThread =
  | { readonly kind: 'stop'; readonly graceMs: number }
  | { readonly kind: 'certificate'; readonly certificate: Certificate };

export type FromSessionThread =
  | { readonly kind: 'ready'; readonly listening: readonly Listening[] }
  | { readonly kind: 'failed'; readonly message: string; readonly cause: string }
  | { readonly kind: 'stopped' };
