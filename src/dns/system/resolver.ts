/**
 * The stub resolver: asks recursive servers over the network, in turn and within bounds, and remembers what they said.
 *
 * Equal questions on their way are asked once. A server that is silent or broken makes the next one be asked; the one
 * that answered last is asked first. AD counts only from servers that are trusted (see {@link DnsServer}); where there is
 * one, the others are never asked, or whoever keeps it from answering could choose what is not verified. Sources:
 * RFC 1035 §7, RFC 2308, RFC 5452 §9 (unpredictable id and port), RFC 6891 (EDNS0), RFC 7766 (TCP).
 */
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../base/clock.ts';
import { Gate } from '../../base/gate.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Random } from '../../base/random.ts';
import type { DnsAnswer, MxRecord, Resolver, TlsaRecord } from '../resolver.ts';
import type { RecordData } from '../wire/answer.ts';
import type { RecordType } from '../wire/question.ts';
import { mixCase, toDnsName, toReverseName } from '../wire/question.ts';
import { toName } from '../idna/to-name.ts';
import { AnswerCache } from './answer-cache.ts';
import type { DnsServer, Exchanged } from './exchange.ts';
import { exchangeTcp, exchangeUdp } from './exchange.ts';
import { parseResolvConf } from './resolv-conf.ts';

export type SystemResolverOptions = {
  readonly clock: Clock;
  readonly random: Random;
  /** At least one. */
  readonly servers: readonly DnsServer[];
  /** One exchange; each round waits for that much more. */
  readonly timeoutMs?: number;
  /** How often the list of servers is gone through; from the third round on over TCP, which gets through where UDP does not. */
  readonly rounds?: number;
  /** Spell names in random case, as a further secret; servers that do not echo it are passed over. */
  readonly mixCase?: boolean;
  readonly cacheEntriesMax?: number;
};

type RawAnswer = DnsAnswer<RecordData>;
type Unavailable = Extract<RawAnswer, { kind: 'unavailable' }>;
/** What one question brought: the answer, or a name to go on with. */
type Step = RawAnswer | Extract<Exchanged, { kind: 'alias' }>;

const TTL_MAX_S = 86_400;
const NEGATIVE_TTL_MAX_S = 10_800;
const FAILURE_TTL_S = 5;
/** Questions for one answer, where the server leaves its CNAMEs to us. */
const ALIASES_MAX = 8;
/** Rounds over UDP before TCP is tried. */
const UDP_ROUNDS = 2;

/** Reads the servers from the machine's own configuration. */
export async function systemServers(path = '/etc/resolv.conf'): Promise<readonly DnsServer[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return parseResolvConf(text).servers;
}

export class SystemResolver implements Resolver {
  readonly #options: SystemResolverOptions;
  readonly #servers: readonly DnsServer[];
  readonly #cache: AnswerCache<RecordData>;
  readonly #onTheirWay = new Map<string, Promise<RawAnswer>>();
  readonly #gate = new Gate(LIMITS.dnsQuestionsMax);
  /** Index of the server that answered last. */
  #first = 0;

  constructor(options: SystemResolverOptions) {
    this.#options = options;
    const trusted = options.servers.filter((server) => server.trusted);
    this.#servers = trusted.length > 0 ? trusted : options.servers;
    this.#cache = new AnswerCache(options.clock, {
      entriesMax: options.cacheEntriesMax ?? LIMITS.dnsCacheEntriesMax,
      octetsMax: LIMITS.dnsCacheOctetsMax,
      octetsOf,
      ttlMaxS: TTL_MAX_S,
      negativeTtlMaxS: NEGATIVE_TTL_MAX_S,
      failureTtlS: FAILURE_TTL_S,
    });
  }

  async mx(name: string): Promise<DnsAnswer<MxRecord>> {
    return pick(await this.#ask(name, 'MX'), (data) => (data.type === 'MX' ? data.mx : undefined));
  }

  async a(name: string): Promise<DnsAnswer<string>> {
    return pick(await this.#ask(name, 'A'), textOf);
  }

  async aaaa(name: string): Promise<DnsAnswer<string>> {
    return pick(await this.#ask(name, 'AAAA'), textOf);
  }

  async txt(name: string): Promise<DnsAnswer<string>> {
    return pick(await this.#ask(name, 'TXT'), textOf);
  }

  async cname(name: string): Promise<DnsAnswer<string>> {
    return pick(await this.#ask(name, 'CNAME'), textOf);
  }

  async ptr(address: string): Promise<DnsAnswer<string>> {
    return pick(await this.#ask(toReverseName(address) ?? '', 'PTR'), textOf);
  }

  async tlsa(name: string): Promise<DnsAnswer<TlsaRecord>> {
    return pick(await this.#ask(name, 'TLSA'), (data) => (data.type === 'TLSA' ? data.tlsa : undefined));
  }

  /**
   * Whether the servers show that they validate: AD on a signed name, or on that it has no addresses.
   * Undefined where they do not answer at all.
   *
   * @param name left out: the root, which has been signed since 2010
   */
  async validates(name = ''): Promise<boolean | undefined> {
    const answer = await this.#askServers(name, 'A');
    return answer.kind === 'unavailable' ? undefined : answer.authentic;
  }

  async #ask(text: string, type: RecordType): Promise<RawAnswer> {
    const name = toName(text);
    // What cannot be a name has no records; no server need be troubled with it.
    if (name === undefined) return { kind: 'none', nameExists: false, ttlS: 0, authentic: false };
    if (name === 'localhost' || name.endsWith('.localhost')) return localhost(name, type);
    const key = `${type} ${name}`;
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached;
    const running = this.#onTheirWay.get(key);
    if (running !== undefined) return running;
    const asked = this.#gate.run(() => this.#follow(name, type));
    this.#onTheirWay.set(key, asked);
    try {
      const answer = await asked;
      this.#cache.put(key, answer);
      return answer;
    } finally {
      this.#onTheirWay.delete(key);
    }
  }

  /** One answer from as many questions as its CNAMEs need; secure if all of them are (RFC 7672 §2.1.3). */
  async #follow(first: string, type: RecordType): Promise<RawAnswer> {
    const malformed: RawAnswer = { kind: 'unavailable', reason: 'malformed' };
    const asked = new Set<string>();
    let authentic = true;
    let ttlS = Number.MAX_SAFE_INTEGER;
    for (let name = first; asked.size < ALIASES_MAX && !asked.has(name);) {
      asked.add(name);
      // oxlint-disable-next-line no-await-in-loop -- one alias leads to the next
      const step = await this.#askServers(name, type);
      if (step.kind === 'unavailable') return step;
      authentic &&= step.authentic;
      ttlS = Math.min(ttlS, step.ttlS);
      if (step.kind !== 'alias') return { ...step, ttlS, authentic };
      const target = toDnsName(step.target);
      if (target === undefined) return malformed;
      name = target;
    }
    return malformed;
  }

  async #askServers(name: string, type: RecordType): Promise<Step> {
    const { rounds = 2, timeoutMs = 3000 } = this.#options;
    const servers = this.#servers;
    const start = this.#first;
    let problem: Unavailable = { kind: 'unavailable', reason: 'timeout' };
    for (let round = 0; round < rounds; round += 1) {
      let silent = false;
      for (let turn = 0; turn < servers.length; turn += 1) {
        const index = (start + turn) % servers.length;
        const server = servers[index];
        if (server === undefined) continue;
        // oxlint-disable-next-line no-await-in-loop -- one server after the other is the point
        const answer = await this.#askServer(server, name, type, {
          timeoutMs: timeoutMs * (round + 1),
          byTcp: round >= UDP_ROUNDS,
        });
        if (answer.kind !== 'unavailable') {
          this.#first = index;
          return answer;
        }
        if (answer.reason === 'bogus') return answer;
        problem = answer;
        silent ||= answer.reason === 'timeout' || answer.reason === 'malformed';
      }
      // All of them said that they cannot: saying it again will not help.
      if (!silent) break;
    }
    return problem;
  }

  async #askServer(
    server: DnsServer,
    name: string,
    type: RecordType,
    { timeoutMs, byTcp }: { readonly timeoutMs: number; readonly byTcp: boolean },
  ): Promise<Step> {
    const exchange = async (edns: boolean, unchecked: boolean): Promise<Exchanged> => {
      const options = { clock: this.#options.clock, timeoutMs, edns, dnssec: server.trusted, unchecked };
      const question = { id: this.#options.random.below(65_536), name: this.#spelling(name), type };
      if (byTcp) return exchangeTcp(server, question, options);
      const answer = await exchangeUdp(server, question, options);
      return answer.kind === 'truncated' ? exchangeTcp(server, question, options) : answer;
    };
    let answer = await exchange(true, false);
    if (answer.kind === 'failed' && answer.reason === 'no-edns') answer = await exchange(false, false);
    switch (answer.kind) {
      case 'found':
      case 'none':
      case 'alias':
        return { ...answer, authentic: answer.authentic && server.trusted };
      case 'timeout':
        return { kind: 'unavailable', reason: 'timeout' };
      case 'malformed':
      case 'truncated':
        return { kind: 'unavailable', reason: 'malformed' };
      case 'failed': {
        if (answer.reason === 'refused') return { kind: 'unavailable', reason: 'refused' };
        // RFC 4035 §5.5: what does not validate is answered with SERVFAIL, unless checking is disabled.
        const unchecked = server.trusted ? await exchange(true, true) : answer;
        const bogus = unchecked.kind === 'found' || unchecked.kind === 'none' || unchecked.kind === 'alias';
        return { kind: 'unavailable', reason: bogus ? 'bogus' : 'servfail' };
      }
    }
  }

  #spelling(name: string): string {
    return this.#options.mixCase === true ? mixCase(name, this.#options.random.octets(32)) : name;
  }
}

/** RFC 6761 §6.3: these names never leave the machine, and lead back to it. */
function localhost(name: string, type: RecordType): RawAnswer {
  const ttlS = TTL_MAX_S;
  if (type !== 'A' && type !== 'AAAA') return { kind: 'none', nameExists: true, ttlS, authentic: false };
  const text = type === 'A' ? '127.0.0.1' : '::1';
  return { kind: 'found', records: [{ type, text }], ttlS, authentic: false, canonicalName: name };
}

/** What one record takes in memory, about. */
function octetsOf(data: RecordData): number {
  if (data.type === 'MX') return RECORD_OCTETS + data.mx.exchange.length;
  return RECORD_OCTETS + (data.type === 'TLSA' ? data.tlsa.data : data.text).length;
}

const RECORD_OCTETS = 150;

function textOf(data: RecordData): string | undefined {
  return data.type === 'MX' || data.type === 'TLSA' ? undefined : data.text;
}

function pick<Data>(answer: RawAnswer, of: (data: RecordData) => Data | undefined): DnsAnswer<Data> {
  if (answer.kind !== 'found') return answer;
  const records = answer.records.map(of).filter((data) => data !== undefined);
  return { ...answer, records };
}
