/**
 * The stub resolver: asks recursive servers over the network, in turn and within bounds, and remembers what they said.
 *
 * Equal questions on their way are asked once. A server that is silent or broken makes the next one be asked; the one
 * that answered last is asked first. AD counts only from servers that are trusted (see {@link DnsServer}). Sources:
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
import { AnswerCache } from './answer-cache.ts';
import type { DnsServer, Exchanged } from './exchange.ts';
import { exchangeTcp, exchangeUdp } from './exchange.ts';
import { parseResolvConf } from './resolv-conf.ts';

export type SystemResolverOptions = {
  readonly clock: Clock;
  readonly random: Random;
  /** At least one. */
  readonly servers: readonly DnsServer[];
  /** One exchange; the second round waits twice as long. */
  readonly timeoutMs?: number;
  /** How often the list of servers is gone through. */
  readonly rounds?: number;
  /** Spell names in random case, as a further secret; servers that do not echo it are passed over. */
  readonly mixCase?: boolean;
  readonly cacheEntriesMax?: number;
};

type RawAnswer = DnsAnswer<RecordData>;
type Unavailable = Extract<RawAnswer, { kind: 'unavailable' }>;

const TTL_MAX_S = 86_400;
const NEGATIVE_TTL_MAX_S = 10_800;
const FAILURE_TTL_S = 5;

/** Reads the servers from the machine's own configuration. */
export async function systemServers(path = '/etc/resolv.conf'): Promise<readonly DnsServer[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return parseResolvConf(text).servers;
}

export class SystemResolver implements Resolver {
  readonly #options: SystemResolverOptions;
  readonly #cache: AnswerCache<RecordData>;
  readonly #onTheirWay = new Map<string, Promise<RawAnswer>>();
  readonly #gate = new Gate(LIMITS.dnsQuestionsMax);
  /** Index of the server that answered last. */
  #first = 0;

  constructor(options: SystemResolverOptions) {
    this.#options = options;
    this.#cache = new AnswerCache(options.clock, {
      entriesMax: options.cacheEntriesMax ?? LIMITS.dnsCacheEntriesMax,
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

  async ptr(address: string): Promise<DnsAnswer<string>> {
    return pick(await this.#ask(toReverseName(address) ?? '', 'PTR'), textOf);
  }

  async tlsa(name: string): Promise<DnsAnswer<TlsaRecord>> {
    return pick(await this.#ask(name, 'TLSA'), (data) => (data.type === 'TLSA' ? data.tlsa : undefined));
  }

  async #ask(text: string, type: RecordType): Promise<RawAnswer> {
    const name = toDnsName(text);
    // What cannot be a name has no records; no server need be troubled with it.
    if (name === undefined) return { kind: 'none', nameExists: false, ttlS: 0, authentic: false };
    if (name === 'localhost' || name.endsWith('.localhost')) return localhost(name, type);
    const key = `${type} ${name}`;
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached;
    const running = this.#onTheirWay.get(key);
    if (running !== undefined) return running;
    const asked = this.#gate.run(() => this.#askServers(name, type));
    this.#onTheirWay.set(key, asked);
    try {
      const answer = await asked;
      this.#cache.put(key, answer);
      return answer;
    } finally {
      this.#onTheirWay.delete(key);
    }
  }

  async #askServers(name: string, type: RecordType): Promise<RawAnswer> {
    const { servers, rounds = 2, timeoutMs = 3000 } = this.#options;
    const start = this.#first;
    let problem: Unavailable = { kind: 'unavailable', reason: 'timeout' };
    for (let round = 0; round < rounds; round += 1) {
      let silent = false;
      for (let turn = 0; turn < servers.length; turn += 1) {
        const index = (start + turn) % servers.length;
        const server = servers[index];
        if (server === undefined) continue;
        // oxlint-disable-next-line no-await-in-loop -- one server after the other is the point
        const answer = await this.#askServer(server, name, type, timeoutMs * (round + 1));
        if (answer.kind !== 'unavailable') {
          this.#first = index;
          return answer;
        }
        problem = answer;
        silent ||= answer.reason === 'timeout' || answer.reason === 'malformed';
      }
      // All of them said that they cannot: saying it again will not help.
      if (!silent) break;
    }
    return problem;
  }

  async #askServer(server: DnsServer, name: string, type: RecordType, timeoutMs: number): Promise<RawAnswer> {
    const exchange = async (edns: boolean): Promise<Exchanged> => {
      const options = { clock: this.#options.clock, timeoutMs, edns };
      const question = { id: this.#options.random.below(65_536), name: this.#spelling(name), type };
      const answer = await exchangeUdp(server, question, options);
      return answer.kind === 'truncated' ? exchangeTcp(server, question, options) : answer;
    };
    let answer = await exchange(true);
    if (answer.kind === 'failed' && answer.reason === 'no-edns') answer = await exchange(false);
    switch (answer.kind) {
      case 'found':
      case 'none':
        return { ...answer, authentic: answer.authentic && server.trusted };
      case 'timeout':
        return { kind: 'unavailable', reason: 'timeout' };
      case 'malformed':
      case 'truncated':
        return { kind: 'unavailable', reason: 'malformed' };
      case 'failed':
        return { kind: 'unavailable', reason: answer.reason === 'refused' ? 'refused' : 'servfail' };
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

function textOf(data: RecordData): string | undefined {
  return data.type === 'MX' || data.type === 'TLSA' ? undefined : data.text;
}

function pick<Data>(answer: RawAnswer, of: (data: RecordData) => Data | undefined): DnsAnswer<Data> {
  if (answer.kind !== 'found') return answer;
  const records = answer.records.map(of).filter((data) => data !== undefined);
  return { ...answer, records };
}
