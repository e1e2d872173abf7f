/**
 * What a next hop means by a no, read from its code, its enhanced status and its words. Pure. Hosts agree on codes less than
 * on words, so the words of the great ones and of what most others run come first; then the status (RFC 3463 §3), then the
 * code (RFC 5321 §4.2.3). The first line of the table that fits decides.
 *
 * Linear in the text, of which {@link TEXT_CHARACTERS_MAX} characters are read.
 */
import type { PeerReply } from '../../smtp/wire/reply.ts';
import { FAULT_REASON, type RetryPace } from '../../queue/retry.ts';
import { statusOf } from '../outcome.ts';

export type ReplyClass =
  /** No such address, or none that takes mail. */
  | 'address'
  | 'mailbox-full'
  | 'mailbox-closed'
  /** One mailbox gets more mail than it may just now. */
  | 'mailbox-busy'
  /** Our address or domain stands on a list, or has a bad name: nothing of ours is taken. */
  | 'block-list'
  /** Too much from us: too many connections, messages, recipients at a time. */
  | 'rate'
  /** Come back later, whoever you are: RFC 6647. */
  | 'greylist'
  /** What the message says or looks like. */
  | 'content'
  | 'too-big'
  /** SPF, DKIM, DMARC, or our address in the DNS (RFC 7372). */
  | 'sender-auth'
  /** The reverse-path is not liked. */
  | 'sender'
  /** TLS is wanted, or fails. */
  | 'tls'
  /** Our login is wanted, or refused. */
  | 'login'
  | 'too-many-recipients'
  | 'policy'
  | 'network'
  | 'system'
  | 'storage'
  | 'closing'
  | 'refused';

/** What follows for the next try of mail that was put off, and for other mail to the same destination. */
export type RetryDecision = {
  readonly pace: RetryPace;
  /** All of the destination's mail waits, and one message probes it. */
  readonly backsOff: boolean;
};

const USUAL: RetryDecision = { pace: 'usual', backsOff: false };

/** By the reason of the last answer. */
const DECISIONS: ReadonlyMap<string, RetryDecision> = new Map<string, RetryDecision>([
  [FAULT_REASON, { pace: 'own', backsOff: false }],
  [reasonOf('greylist'), { pace: 'soon', backsOff: false }],
  [reasonOf('too-many-recipients'), { pace: 'soon', backsOff: false }],
  [reasonOf('rate'), { pace: 'usual', backsOff: true }],
  [reasonOf('block-list'), { pace: 'slow', backsOff: true }],
  [reasonOf('mailbox-full'), { pace: 'slow', backsOff: false }],
  [reasonOf('mailbox-closed'), { pace: 'slow', backsOff: false }],
]);

export function reasonOf(means: ReplyClass): string {
  return `smtp.${means}`;
}

/** @param reason of a {@link LastAnswer}, whoever said it */
export function retryDecision(reason: string): RetryDecision {
  return DECISIONS.get(reason) ?? USUAL;
}

type Line = {
  readonly means: ReplyClass;
  /** What its code must begin with. */
  readonly code?: RegExp;
  /** Of the enhanced status without its class: `7.1`. */
  readonly status?: RegExp;
  /** Of all its lines. */
  readonly text?: RegExp;
};

/** Words, the most telling first. Each pattern is a plain alternation: none looks back. */
const WORDS: readonly Line[] = [
  // Outlook's codes of its own in X.7.x, before anything is read from words beside them.
  { means: 'block-list', status: /^7\.(?:51[12]|60[6-9]|6[1-4]\d)$/ },
  { means: 'rate', status: /^7\.(?:500|65[0-9])$/ },
  { means: 'sender-auth', status: /^7\.(?:509|515)$/ },
  // RFC 7372 §3: X.7.20 to X.7.26; X.7.27 and X.7.30 to X.7.32 are Google's.
  { means: 'sender-auth', status: /^7\.(?:2[0-7]|3[0-2])$/ },
  { means: 'rate', status: /^7\.28$/ },

  {
    means: 'greylist',
    text: /gr[ae]y.?list|postgrey|not yet authorized to deliver|please retry in \d|first attempt|deferred for \d+ (?:seconds|minutes)/i,
  },
  {
    means: 'mailbox-busy',
    text: /receiving mail (?:at a rate|too quickly)|recipient(?:'s)? (?:mailbox )?(?:has )?exceeded.{0,40}rate|mailbox is busy/i,
  },
  {
    means: 'rate',
    text: /\bTSS0[0-24-9]\b|\bRP-00\d\b|\bRL0000\d\d\b|\bOFR00?4_|rate.?limit|too many (?:connections|concurrent|messages|mails|emails|sessions|errors|login)|too much (?:e?mail|traffic)|unusual rate|sending rate|(?:connection|message|sending) (?:rate|quota|limit)s? (?:limit )?(?:has been )?(?:exceeded|reached)|exceeded (?:the|its|your) (?:\w+ )?(?:rate|quota|connection|sending|hourly|daily)|slow down|temporarily deferred due to|unexpected volume|throttl/i,
  },
  { means: 'address', text: /not listed in (?:domino|public|the directory)/i },
  {
    means: 'block-list',
    text: /\bTSS03\b|\bBL\d\d\b|\bBL0000\d\d\b|\bS3140\b|\bSC-00[1-4]\b|\bDNSBL\b|\bRBLs?\b|block.?list|black.?list|deny.?list|blocked using|spamhaus|spamcop|barracuda(?:central| reputation)|uceprotect|sorbs\.|surriel|invaluement|abusix|ipcheck\.proofpoint|senderscore|poor reputation|low reputation|bad reputation|reputation (?:is|of)|banned (?:sending|sender|ip)|tosa@rx\.t-online\.de|(?:ip|client|host|network|server|connection)s? (?:address )?(?:\[?[0-9a-f.:]+\]? )?(?:is|are|was|has been|have been) (?:currently |temporarily )?(?:blocked|listed|blacklisted|banned)|listed (?:at|in|on|by) /i,
  },
  {
    means: 'sender-auth',
    text: /\bDMARC\b|\bDKIM\b|\bSPF\b|unauthenticated|authentication (?:check|results?|requirements?|level|information)|does not pass authentication|reverse (?:dns|hostname|lookup)|\bPTR\b|cannot find your (?:reverse )?hostname|no reverse|does not resolve|\bFCrDNS\b/i,
  },
  {
    means: 'mailbox-full',
    text: /over.?quota|quota (?:exceeded|full|reached|violation)|exceed(?:s|ed)? (?:\w+ ){0,3}(?:quota|storage)|mail(?:box|folder|drop)? (?:is |has )?(?:full|exceeded)|(?:inbox|account) is full|out of (?:storage|quota)|not enough (?:storage|room) (?:space )?(?:in|for) (?:the |this )?(?:mailbox|user)/i,
  },
  {
    means: 'mailbox-closed',
    text: /(?:mailbox|account|user|recipient|address)(?: <[^>]{1,255}>)? (?:is |has been |was )?(?:disabled|inactive|suspended|deactivated|closed|locked|expired|not active)|inactive (?:user|account|recipient)|account that you tried to reach is (?:disabled|inactive)/i,
  },
  {
    means: 'too-big',
    text: /(?:message|mail|content|data|size|e-?mail)(?: \w+){0,4} (?:too (?:large|big)|exceed(?:s|ed)?(?: \w+){0,3} (?:size|limit|maximum))|too (?:large|big)|maximum (?:message )?size|size (?:limit|exceeds)|exceeds (?:size|maximum|fixed)/i,
  },
  {
    means: 'tls',
    text: /starttls|\bTLS\b|\bSSL\b|encrypt(?:ion|ed) (?:is )?(?:required|needed)|must (?:be )?encrypt/i,
  },
  {
    means: 'sender',
    text: /sender (?:verify|verification|address|domain|denied|not|rejected|refused|unknown|is not)|(?:verify|verifying) (?:the )?sender|return.?path (?:is|does)|envelope.?from|unable to verify (?:the )?sender|callout verification/i,
  },
  {
    means: 'address',
    text: /user (?:is )?unknown|unknown (?:user|recipient|mailbox|address|local)|no such (?:user|recipient|mailbox|address|account|person|domain)|(?:user|mailbox|recipient|address|account)(?: \S{1,255})? (?:was )?(?:not found|unknown|does ?n[o']t exist|not exist|unavailable or|is not (?:known|valid|recognized|listed))|does ?n[o']t (?:exist|have (?:an?|any) \S{1,100} account)|not a (?:valid|known|local) (?:user|mailbox|recipient|address)|invalid (?:recipient|mailbox|address|user)|unrout(?:e)?able address|no mailbox|recipient ?not ?found|recipientnotfound|mailbox unavailable|mailbox not found|bad destination|address rejected: (?:user|undeliverable|unverified|domain|access denied)|recipient address rejected: access denied/i,
  },
  {
    means: 'login',
    text: /authentication (?:is )?(?:required|failed|failure|unsuccessful|credentials)|must authenticate|not authenticated|credentials|username and password|login (?:first|required|failed)|auth(?:entication)? first/i,
  },
  {
    means: 'content',
    text: /\bspam\b|\bUBE\b|\bUCE\b|unsolicited|bulk mail|junk|virus|malware|phish|infected|trojan|attachment|security (?:issue|risk|threat)|(?:message|mail|content|e-?mail)(?: \w+){0,3} (?:content|rejected due to content)|forbidden (?:content|file)|content (?:rejected|restrictions|filter)|\bheader|\bbody\b|line (?:is )?too long|line length|bare (?:LF|CR|line ?feed|newline)|not RFC ?\d* ?compliant|malformed|\bURIBL\b|\bSURBL\b/i,
  },
  { means: 'too-many-recipients', text: /too many (?:recipients|rcpt)|recipients? (?:limit|exceeds)/i },
  {
    means: 'policy',
    text: /\brelay(?:ing)?\b|polic(?:y|ies)|not (?:allowed|permitted|authorized)|prohibited|administrative(?:ly)?|access denied|blocked|\brejected by\b/i,
  },
  {
    means: 'storage',
    text: /(?:insufficient|not enough|no) (?:system |disk |free )?(?:storage|space|disk)|disk (?:is )?full/i,
  },
  {
    means: 'system',
    text: /(?:temporary|internal|local|server|system|configuration) (?:local |system |server |lookup |resolver )?(?:error|problem|failure|trouble)|try (?:again )?later|resources|queue file|maintenance|lookup (?:failure|failed|error)|unavailable|overload|load (?:is )?too high|server (?:is )?busy|shutting down/i,
  },
];

/** RFC 3463 §3.2 to §3.8. */
const STATUSES: readonly Line[] = [
  { means: 'address', status: /^1\.(?:1|2|3|4|6|10)$/ },
  { means: 'sender', status: /^1\.(?:7|8)$/ },
  { means: 'mailbox-closed', status: /^2\.1$/ },
  { means: 'mailbox-full', status: /^2\.2$/ },
  { means: 'too-big', status: /^(?:2\.3|3\.4)$/ },
  { means: 'storage', status: /^3\.1$/ },
  { means: 'system', status: /^[23]\./ },
  { means: 'too-many-recipients', status: /^5\.3$/ },
  { means: 'network', status: /^4\./ },
  { means: 'content', status: /^6\./ },
  // RFC 4954 §6, RFC 3207 §4: X.7.8, X.7.9 of a login; X.7.10, X.7.11 of encryption.
  { means: 'login', status: /^7\.(?:8|9|13|14)$/ },
  { means: 'tls', status: /^7\.(?:4|5|10|11)$/ },
  { means: 'policy', status: /^7\./ },
];

/** RFC 5321 §4.2.3, RFC 4954 §4, RFC 1870 §6. */
const CODES: readonly Line[] = [
  { means: 'login', code: /^53[0458]$/ },
  { means: 'too-big', code: /^552$/ },
  { means: 'storage', code: /^452$/ },
  { means: 'closing', code: /^421$/ },
];

const TEXT_CHARACTERS_MAX = 2000;

export function classOf(reply: PeerReply): ReplyClass {
  const status = statusOf(reply).slice(2);
  const code = String(reply.code);
  const text = reply.lines.join(' ').slice(0, TEXT_CHARACTERS_MAX);
  const fits = (line: Line): boolean =>
    (line.code?.test(code) ?? true) && (line.status?.test(status) ?? true) && (line.text?.test(text) ?? true);
  const found = BEFORE_WORDS.find(fits) ?? WORDS.find(fits) ?? STATUSES.find(fits) ?? CODES.find(fits);
  return found?.means ?? 'refused';
}

/** A status so exact that no word beside it says more. */
const BEFORE_WORDS: readonly Line[] = [
  { means: 'mailbox-full', status: /^2\.2$/ },
  { means: 'address', code: /^5/, status: /^1\.(?:1|10)$/ },
  { means: 'mailbox-closed', code: /^5/, status: /^2\.1$/ },
  { means: 'too-big', code: /^5/, status: /^(?:2\.3|3\.4)$/ },
];
