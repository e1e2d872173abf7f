/**
 * SEARCH keys over one message, in three values: what was not read yet is unknown. So each message is read only as far
 * as its answer needs: flags first, then rows, then digests, then octets. Source: RFC 9051 §6.4.4.
 */
import { latin1 } from '../../../base/bytes.ts';
import { unreachable } from '../../../base/unreachable.ts';
import { parseDate } from '../../../message/date.ts';
import type { Entry, PlacedMessage, StoredMessage } from '../../../store/mail-store.ts';
import type { SearchKey } from '../../wire/command/search-key.ts';
import { rangesHave, resolveRanges, type Ranges } from '../../wire/sequence-set.ts';
import { DAY_MS } from '../../wire/date-time.ts';
import { bitOf } from '../flags.ts';
import { parseEmailId, parseThreadId } from '../object-id.ts';
import type { FuzzyAnswer, SearchAnswer, SearchQuestion } from '../../../search/search-index.ts';
import type { SearchedMailbox } from '../state.ts';
import { questionOf, type Answers } from './indexed.ts';
import type { EmailId } from '../../../store/ids.ts';
import { fuzzyScan, pieceScore, type FuzzyText } from '../../../search/fuzzy.ts';
import { contains, toNeedle, type Needle, type TextEvidence } from '../../../search/message-text.ts';

/** Longer than any date that is read. */
const ENVELOPE_DATE_OCTETS_MAX = 300;

/** True, false, or not known from what was read. */
export type Verdict = boolean | undefined;

/** What has been read of a message; each step reads more. */
export type Evidence = {
  readonly uid: number;
  readonly seq: number;
  /** Where the index was asked. */
  readonly emailId?: EmailId;
  readonly entry?: Entry;
  readonly placed?: PlacedMessage;
  readonly full?: StoredMessage;
  readonly text?: TextEvidence;
  /** Where FUZZY is among the keys, made of the whole text. */
  readonly fuzzy?: FuzzyText;
};

export type Test = (evidence: Evidence) => Verdict;

/** What a key looks at, at the deepest. */
export type Depth = 'number' | 'entry' | 'placed' | 'full' | 'header' | 'body' | 'words';
const DEPTHS: readonly Depth[] = ['number', 'entry', 'placed', 'full', 'header', 'body', 'words'];

export type Compiled = {
  readonly test: Test;
  readonly depth: Depth;
  /** MODSEQ is among the keys */ readonly asksModSeq: boolean;
  /** How well a message fits each text with FUZZY before it that it may match; 0: not at all (RFC 6203 §4). */
  readonly scores: readonly Score[];
};
/** Undefined: not known from what was read. */
export type Score = (evidence: Evidence) => number | undefined;

/**
 * @param nowMs for OLDER and YOUNGER
 * @param answers what the index said of keys
 */
export function compile(
  key: SearchKey,
  selected: SearchedMailbox,
  nowMs: number,
  answers: Answers,
): Compiled {
  const compiled = compileKey(key, selected, nowMs, answers);
  const answer = answers.exact.get(key);
  return answer === undefined ? compiled : { ...compiled, test: indexed(compiled.test, answer) };
}

function compileFuzzy(key: SearchKey, selected: SearchedMailbox, nowMs: number, answers: Answers): Compiled {
  if (key.kind === 'fuzzy') return compileFuzzy(key.key, selected, nowMs, answers);
  if (key.kind === 'not') return not(compileFuzzy(key.key, selected, nowMs, answers));
  if (key.kind === 'and' || key.kind === 'or')
    return combine(
      key.keys.map((one) => compileFuzzy(one, selected, nowMs, answers)),
      key.kind === 'or',
    );
  const exact = compile(key, selected, nowMs, answers);
  const question = questionOf(key);
  // RFC 6203 §5: keys that are no texts match as they always do.
  return question === undefined ? exact : fuzzyText(exact, question, answers.fuzzy.get(key));
}

function fuzzyText(exact: Compiled, question: SearchQuestion, answer: FuzzyAnswer | undefined): Compiled {
  const score: Score = (evidence) => {
    const words =
      (answer && indexedScore(answer, evidence)) ?? (evidence.fuzzy && fuzzyScan(evidence.fuzzy, question));
    if (words === undefined || words > 0) return words;
    const isPiece = exact.test(evidence);
    return isPiece === undefined ? undefined : pieceScore(isPiece);
  };
  const test: Test = (evidence) => {
    if (exact.test(evidence) === true) return true;
    const scored = score(evidence);
    return scored === undefined ? undefined : scored > 0;
  };
  return { depth: 'words', test, asksModSeq: false, scores: [score] };
}

function indexedScore(
  { through, scores, candidates }: FuzzyAnswer,
  { emailId }: Evidence,
): number | undefined {
  if (emailId === undefined || emailId > through || candidates.has(emailId)) return undefined;
  return scores.get(emailId) ?? 0;
}

/** Reads only what the index does not know for sure. */
function indexed(test: Test, { through, matches, candidates }: SearchAnswer): Test {
  return (evidence) => {
    const { emailId } = evidence;
    if (emailId === undefined || emailId > through) return test(evidence);
    if (matches.has(emailId)) return true;
    return candidates.has(emailId) ? test(evidence) : false;
  };
}

function compileKey(key: SearchKey, selected: SearchedMailbox, nowMs: number, answers: Answers): Compiled {
  switch (key.kind) {
    case 'all':
      return at('number', () => true);
    case 'and':
      return combine(
        key.keys.map((one) => compile(one, selected, nowMs, answers)),
        false,
      );
    case 'or':
      return combine(
        key.keys.map((one) => compile(one, selected, nowMs, answers)),
        true,
      );
    case 'not':
      return not(compile(key.key, selected, nowMs, answers));
    case 'fuzzy':
      return compileFuzzy(key.key, selected, nowMs, answers);
    case 'flag':
      return flag(key.flag);
    // RFC 9051 Appendix E: no message here is ever \Recent.
    case 'recent':
      return at('number', () => false);
    case 'sequence':
    case 'uid':
      return inSet(key, selected);
    case 'field':
      return key.field === 'subject' ? subject(toNeedle(key.value)) : field(key.field, toNeedle(key.value));
    case 'header':
      return field(key.name.toLowerCase(), toNeedle(key.value));
    case 'body': {
      const needle = toNeedle(key.value);
      return at('body', ({ text }) => text?.body?.some((part) => contains(part, needle)));
    }
    case 'text':
      return anywhere(toNeedle(key.value));
    case 'date':
      return date(key);
    case 'larger':
      return at('placed', ({ placed }) => placed && placed.octets > key.octets);
    case 'smaller':
      return at('placed', ({ placed }) => placed && placed.octets < key.octets);
    // RFC 5032 §2: by internal date, to the second.
    case 'older':
      return at(
        'placed',
        ({ placed }) => placed && secondsOf(placed.receivedAtMs) <= secondsOf(nowMs) - key.seconds,
      );
    case 'younger':
      return at(
        'placed',
        ({ placed }) => placed && secondsOf(placed.receivedAtMs) >= secondsOf(nowMs) - key.seconds,
      );
    case 'modseq':
      return {
        ...at('entry', ({ entry }) => entry && entry.modSeq >= key.modSeq),
        asksModSeq: true,
      };
    case 'savedate-supported':
      return at('number', () => true);
    case 'email-id': {
      const id = parseEmailId(key.id, selected.otherOwner);
      return at('entry', ({ entry }) => entry && entry.emailId === id);
    }
    case 'thread-id': {
      const id = parseThreadId(key.id, selected.otherOwner);
      return at('placed', ({ placed }) => placed && placed.threadId === id);
    }
    // RFC 5466 §3.1: before a search begins its filters are put in.
    case 'filter':
      return at('number', () => false);
    default:
      return unreachable(key);
  }
}

function at(depth: Depth, test: Test): Compiled {
  return { depth, test, asksModSeq: false, scores: [] };
}

/** What must not fit adds nothing to how well the rest does. */
function not({ test, depth, asksModSeq }: Compiled): Compiled {
  return { depth, asksModSeq, scores: [], test: (evidence) => negate(test(evidence)) };
}

function secondsOf(epochMs: number): number {
  return Math.floor(epochMs / 1000);
}

function negate(verdict: Verdict): Verdict {
  return verdict === undefined ? undefined : !verdict;
}

/** AND ends with the first false, OR (`decides` true) with the first true; cheap keys are asked first. */
function combine(keys: readonly Compiled[], decides: boolean): Compiled {
  const ordered = keys.toSorted((a, b) => DEPTHS.indexOf(a.depth) - DEPTHS.indexOf(b.depth));
  const tests = ordered.map(({ test }) => test);
  return {
    depth: ordered.at(-1)?.depth ?? 'number',
    asksModSeq: keys.some(({ asksModSeq }) => asksModSeq),
    scores: keys.flatMap(({ scores }) => scores),
    test: (evidence) => {
      let unknown = false;
      for (const test of tests) {
        const verdict = test(evidence);
        if (verdict === decides) return decides;
        unknown ||= verdict === undefined;
      }
      return unknown ? undefined : !decides;
    },
  };
}

function flag(name: string): Compiled {
  const bit = bitOf(name);
  if (bit !== undefined) return at('entry', ({ entry }) => entry && (entry.flags & bit) !== 0);
  const wanted = name.toLowerCase();
  return at('entry', ({ entry }) => entry?.keywords.some((keyword) => keyword.toLowerCase() === wanted));
}

function inSet(
  key: Extract<SearchKey, { kind: 'sequence' | 'uid' }>,
  { view, saved }: SearchedMailbox,
): Compiled {
  if (key.set.kind === 'saved') {
    const uids = new Set(saved);
    return at('number', ({ uid }) => uids.has(uid));
  }
  const largest = key.kind === 'uid' ? view.lastUid : view.exists;
  const ranges: Ranges = resolveRanges(key.set.ranges, largest);
  return key.kind === 'uid'
    ? at('number', ({ uid }) => rangesHave(ranges, uid))
    : at('number', ({ seq }) => rangesHave(ranges, seq));
}

function subject(needle: Needle): Compiled {
  // The digest has it decoded already, but not whether an absent one is asked for.
  return needle === ''
    ? field('subject', needle)
    : at('full', ({ full }) => full && contains(toNeedle(full.digest.subject), needle));
}

function field(name: string, needle: Needle): Compiled {
  return at('header', ({ text: read }) =>
    read?.fields.some(({ key, value }) => key === name && contains(value, needle)),
  );
}

function anywhere(needle: Needle): Compiled {
  return at('body', ({ text: read }) => {
    if (read === undefined) return undefined;
    if (contains(read.header, needle)) return true;
    if (read.partHeaders?.some((part) => contains(part, needle)) === true) return true;
    return read.body?.some((part) => contains(part, needle));
  });
}

/** The Date field as its sender's clock showed it: RFC 9051 §6.4.4 compares days without regard to the zone. */
function sentLocalMs({ digest, receivedAtMs }: StoredMessage): number {
  if (digest.sentAtMs === undefined) return receivedAtMs;
  const sent = parseDate(firstString(digest.envelope));
  return sent === undefined ? digest.sentAtMs : sent.epochMs + sent.zoneMinutes * 60_000;
}

/** The date is the first string of an ENVELOPE: quoted, or a literal. */
function firstString(envelope: Uint8Array): string {
  const text = latin1(envelope.subarray(0, ENVELOPE_DATE_OCTETS_MAX));
  const quoted = /^\("((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
  return quoted?.replaceAll(/\\(.)/g, '$1') ?? /^\(\{\d+\}\r\n([^]*)/.exec(text)?.[1] ?? '';
}

/** Days are compared without time and zone: RFC 9051 §6.4.4. Dates of the store are told in UTC. */
function date({ of, relation, day }: Extract<SearchKey, { kind: 'date' }>): Compiled {
  const holds = (epochMs: number): boolean => {
    const its = Math.floor(epochMs / DAY_MS);
    return relation === 'before' ? its < day : relation === 'on' ? its === day : its >= day;
  };
  if (of === 'internal') return at('placed', ({ placed }) => placed && holds(placed.receivedAtMs));
  if (of === 'saved') return at('placed', ({ placed }) => placed && holds(placed.savedAtMs));
  // RFC 5256 §2.2: a message without a date that can be read has its internal date.
  return at('full', ({ full }) => full && holds(sentLocalMs(full)));
}
