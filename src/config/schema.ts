/**
 * Every key of the configuration file, once: JSON Schema as plain data. The types (`config.ts`), the checks
 * (`read.ts`), the defaults and the manual (docs/config.md) all come from here.
 *
 * The keys at the top are here, each table has its own file in `section/`.
 *
 * A key with a default is always present in the result. A key without one is asked for if `required` names it, and
 * may be left out if not. Units are in the names. `format` names a check of `format.ts`.
 */
import { TLS } from './section/tls.ts';
import { LISTENERS } from './section/listeners.ts';
import { STORE } from './section/store.ts';
import { THREADS } from './section/threads.ts';
import { IMAP } from './section/imap.ts';
import { LIMITS } from './section/limits.ts';
import { RATES } from './section/rates.ts';
import { RULES } from './section/rules.ts';
import { SIGN_IN } from './section/sign-in.ts';
import { OAUTH } from './section/oauth.ts';
import { SUBMISSION } from './section/submission.ts';
import { FORWARDING } from './section/forwarding.ts';
import { QUEUE } from './section/queue.ts';
import { RESOLVER } from './section/resolver.ts';
import { OUTGOING } from './section/outgoing.ts';
import { TLS_POLICIES } from './section/tls-policies.ts';
import { POOLS } from './section/pools.ts';
import { ROUTES } from './section/routes.ts';
import { LOG } from './section/log.ts';
import { SMTP } from './section/smtp.ts';
import { SENDMAIL } from './section/sendmail.ts';
import { SEARCH } from './section/search.ts';
import { SHARING } from './section/sharing.ts';
import { TRACE } from './section/trace.ts';
import { RELAYING } from './section/relaying.ts';
import { TRUST } from './section/trust.ts';

/** The keys at the top that are no tables. */
const TOP = {
  hostname: {
    type: 'string',
    format: 'hostname',
    description:
      'The name of this host as the world knows it: in greetings, in Received fields and in the certificate.',
  },
  dataDirectory: {
    type: 'string',
    minLength: 1,
    description: 'Where everything is kept. Made, with access for its owner only, if it is missing.',
  },
  postmaster: {
    type: 'string',
    format: 'address',
    description:
      'Who reads what is sent to `postmaster` at this host and what the server itself has to say. Left out: `postmaster` of each domain.',
  },
  subaddressSeparator: {
    type: 'string',
    enum: ['+', '-', ''],
    default: '+',
    description: 'What divides `user+detail` in local parts. With the empty text there are no subaddresses.',
  },
} as const;

/** The tables. */
const SECTIONS: {
  readonly tls: typeof TLS;
  readonly listeners: typeof LISTENERS;
  readonly store: typeof STORE;
  readonly threads: typeof THREADS;
  readonly trust: typeof TRUST;
  readonly relaying: typeof RELAYING;
  readonly limits: typeof LIMITS;
  readonly smtp: typeof SMTP;
  readonly imap: typeof IMAP;
  readonly rates: typeof RATES;
  readonly rules: typeof RULES;
  readonly signIn: typeof SIGN_IN;
  readonly oauth: typeof OAUTH;
  readonly submission: typeof SUBMISSION;
  readonly forwarding: typeof FORWARDING;
  readonly queue: typeof QUEUE;
  readonly resolver: typeof RESOLVER;
  readonly outgoing: typeof OUTGOING;
  readonly tlsPolicies: typeof TLS_POLICIES;
  readonly routes: typeof ROUTES;
  readonly pools: typeof POOLS;
  readonly log: typeof LOG;
  readonly sendmail: typeof SENDMAIL;
  readonly search: typeof SEARCH;
  readonly sharing: typeof SHARING;
  readonly trace: typeof TRACE;
} = {
  tls: TLS,
  listeners: LISTENERS,
  store: STORE,
  threads: THREADS,
  trust: TRUST,
  relaying: RELAYING,
  limits: LIMITS,
  smtp: SMTP,
  imap: IMAP,
  rates: RATES,
  rules: RULES,
  signIn: SIGN_IN,
  oauth: OAUTH,
  submission: SUBMISSION,
  forwarding: FORWARDING,
  queue: QUEUE,
  resolver: RESOLVER,
  outgoing: OUTGOING,
  tlsPolicies: TLS_POLICIES,
  routes: ROUTES,
  pools: POOLS,
  log: LOG,
  sendmail: SENDMAIL,
  search: SEARCH,
  sharing: SHARING,
  trace: TRACE,
};

const REQUIRED = [
  'hostname',
  'dataDirectory',
  'subaddressSeparator',
  'tls',
  'listeners',
  'store',
  'threads',
  'trust',
  'relaying',
  'limits',
  'smtp',
  'imap',
  'rates',
  'rules',
  'signIn',
  'submission',
  'forwarding',
  'queue',
  'resolver',
  'outgoing',
  'tlsPolicies',
  'routes',
  'pools',
  'log',
  'sendmail',
  'search',
  'sharing',
  'trace',
] as const;

export const SCHEMA: {
  readonly type: 'object';
  readonly description: string;
  readonly required: typeof REQUIRED;
  readonly properties: typeof TOP & typeof SECTIONS;
} = {
  type: 'object',
  description: 'The host and where it keeps its data.',
  required: REQUIRED,
  properties: { ...TOP, ...SECTIONS },
};
