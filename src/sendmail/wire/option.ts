/**
 * The command line of `sendmail`, as programs that pipe mail know it: options and what is ignored are those of Postfix's
 * sendmail(1), and `-au`, `-ap`, `-am` of other submitters. Options may stand behind recipients, and end at `--`. Pure.
 */
import { parseVerp, type VerpRequest } from '../../smtp/wire/parameter.ts';
import { err, ok, type Result } from '../../base/result.ts';

export type SendmailMode =
  | 'deliver'
  /** `-bp`, `mailq` */
  | 'list'
  /** `-bs` */
  | 'smtp'
  /** `-bi`, `-I`, `newaliases` */
  | 'aliases'
  | 'flush'
  /** `-bd` and what else there is no doing for */
  | 'daemon'
  | 'verify'
  | 'nothing';

/** Which of the queue is to be tried again. */
export type FlushWhat =
  | { readonly kind: 'all' }
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'site'; readonly site: string };

export type SendmailOptions = {
  readonly mode: SendmailMode;
  readonly flush: FlushWhat;
  /** `-t` */
  readonly fromHeader: boolean;
  /** Not `-i`: a line with a dot alone ends the message. */
  readonly dotEnds: boolean;
  /** `-f`, `-r`; '' and `<>` are the null reverse-path. */
  readonly sender: string | undefined;
  /** `-F` */
  readonly fullName: string | undefined;
  /** `-N`; an empty list is `never`. */
  readonly notify: readonly ('success' | 'failure' | 'delay')[] | undefined;
  readonly ret: 'full' | 'hdrs' | undefined;
  readonly envid: string | undefined;
  /** `-XV`, Postfix's: each copy leaves from an address that names its recipient. */
  readonly verp: VerpRequest | undefined;
  readonly recipients: readonly string[];
};

/** Options with a value, glued to them or the next word. `o` and `b` have one too. */
const VALUED = 'ABCFLNOQRVXabefhopr';
const IGNORED = new Set(['A', 'C', 'G', 'L', 'O', 'U', 'X', 'a', 'c', 'e', 'h', 'm', 'n', 'p', 'v', 'x']);

const MODES: Readonly<Record<string, SendmailMode>> = {
  m: 'deliver',
  p: 'list',
  s: 'smtp',
  i: 'aliases',
  d: 'daemon',
  D: 'daemon',
  l: 'daemon',
  v: 'verify',
  h: 'nothing',
  H: 'nothing',
};

type Draft = { -readonly [Key in keyof SendmailOptions]: SendmailOptions[Key] } & { recipients: string[] };

/** An error is a sentence for the person who wrote the command line. */
export function parseOptions(words: readonly string[]): Result<SendmailOptions, string> {
  const options: Draft = {
    mode: 'deliver',
    flush: { kind: 'all' },
    fromHeader: false,
    dotEnds: true,
    sender: undefined,
    fullName: undefined,
    notify: undefined,
    ret: undefined,
    envid: undefined,
    verp: undefined,
    recipients: [],
  };
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (word === '--') {
      options.recipients.push(...words.slice(at + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      options.recipients.push(word);
      continue;
    }
    for (let place = 1; place < word.length; place += 1) {
      const letter = word.charAt(place);
      const glued = word.slice(place + 1);
      if (letter === 'q') {
        setFlush(options, glued);
        break;
      }
      if (!VALUED.includes(letter)) {
        if (!setSwitch(options, letter)) return err(`there is no option -${letter}`);
        continue;
      }
      const isNext = glued === '' || (letter === 'a' && glued.length === 1);
      const value = isNext ? words[at + 1] : glued;
      if (value === undefined) return err(`option -${letter} needs a value`);
      if (isNext) at += 1;
      const problem = setValue(options, letter, value);
      if (problem !== undefined) return err(problem);
      break;
    }
  }
  if (options.verp !== undefined && options.sender === '') return err('-XV needs a sender that is not empty');
  const broken = [options.sender ?? '', ...options.recipients].find((word) => CONTROLS.test(word));
  return broken === undefined ? ok(options) : err(`${JSON.stringify(broken)} is no address`);
}

/** Put together without them an address would be another one. Programs pass on what strangers wrote. */
// oxlint-disable-next-line no-control-regex -- that is what it is about
const CONTROLS = /[\0-\x08\n-\x1f\x7f]/;

function setFlush(options: Draft, glued: string): void {
  // `-q30m` sets the interval of a daemon, which is the configuration's matter here.
  if (/^[0-9]/.test(glued)) {
    options.mode = 'nothing';
    return;
  }
  options.mode = 'flush';
  if (glued.startsWith('I')) options.flush = { kind: 'id', id: glued.slice(1) };
  else if (glued.startsWith('R')) options.flush = { kind: 'site', site: glued.slice(1) };
}

function setSwitch(options: Draft, letter: string): boolean {
  if (letter === 't') options.fromHeader = true;
  else if (letter === 'i') options.dotEnds = false;
  else if (letter === 'I') options.mode = 'aliases';
  else return IGNORED.has(letter);
  return true;
}

function setValue(options: Draft, letter: string, value: string): string | undefined {
  switch (letter) {
    case 'b': {
      const mode = MODES[value.charAt(0)];
      if (mode === undefined || value.length !== 1) return `there is no mode -b${value}`;
      options.mode = mode;
      return undefined;
    }
    case 'f':
    case 'r':
      options.sender = value.replace(/^\s*<(.*)>\s*$/, '$1').trim();
      return undefined;
    case 'F':
      options.fullName = value;
      return undefined;
    case 'o':
      if (value === 'i') options.dotEnds = false;
      return undefined;
    case 'N':
      return setNotify(options, value);
    case 'R':
      if (!/^(?:full|hdrs)$/i.test(value)) return `-R is full or hdrs, not ${JSON.stringify(value)}`;
      options.ret = value.toLowerCase() === 'full' ? 'full' : 'hdrs';
      return undefined;
    case 'V':
      // RFC 3461 §4.4: at most 100 characters, printable.
      if (!/^[\u0020-\u007e]{1,100}$/.test(value)) return '-V is 1 to 100 printable characters';
      options.envid = value;
      return undefined;
    case 'B':
      if (!/^(?:7bit|8bitmime)$/i.test(value)) return `-B is 7BIT or 8BITMIME, not ${JSON.stringify(value)}`;
      // What the content is shows when it comes.
      return undefined;
    case 'X':
      if (!value.startsWith('V')) return undefined;
      options.verp = parseVerp(value.slice(1));
      return options.verp === undefined ? '-XV takes two of - + =, or nothing' : undefined;
    default:
      return undefined;
  }
}

function setNotify(options: Draft, value: string): string | undefined {
  const words = value
    .toLowerCase()
    .split(',')
    .map((word) => word.trim());
  if (words.length === 1 && words[0] === 'never') {
    options.notify = [];
    return undefined;
  }
  const known = (['success', 'failure', 'delay'] as const).filter((one) => words.includes(one));
  if (known.length !== new Set(words).size)
    return `-N is never, or some of success, failure, delay, not ${JSON.stringify(value)}`;
  options.notify = known;
  return undefined;
}
