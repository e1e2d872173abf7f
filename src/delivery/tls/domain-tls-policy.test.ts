import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settled } from '../../../test/support/fake-clock.ts';
import { seededRandom } from '../../../test/support/world.ts';
import { Fault } from '../../base/fault.ts';
import { err, ok, type Result } from '../../base/result.ts';
import type { Zone } from '../../dns/memory/resolver.ts';
import { MemoryResolver } from '../../dns/memory/resolver.ts';
import type { TlsaRecord } from '../../dns/resolver.ts';
import { MemoryTlsRecords } from '../../tls-policy/memory/tls-records.ts';
import type { PolicyFetchProblem } from '../../tls-policy/policy-fetch.ts';
import type { TlsTally } from '../../tls-policy/wire/tls-report.ts';
import type { DeliveryEvent } from '../event.ts';
import type { Problem } from '../remote/problem.ts';
import type { RouteTls } from '../remote/router.ts';
import { Routing } from '../remote/routing.ts';
import type { DomainTls, HostTls, TlsConnection, TlsWish } from '../remote/tls-policy.ts';
import { DomainTlsPolicy, type DomainTlsPolicyOptions } from './domain-tls-policy.ts';
import { StsPolicies } from './sts-policies.ts';
import type { TlsRule } from './tls-rule.ts';
import { TlsTallies } from './tls-tallies.ts';

const EE: TlsaRecord = { usage: 3, selector: 1, matchingType: 1, data: Buffer.alloc(32, 1) };
const TA: TlsaRecord = { usage: 2, selector: 0, matchingType: 1, data: Buffer.alloc(32, 2) };
const PKIX_EE: TlsaRecord = { ...EE, usage: 1 };
const mx = (exchange: string) => [{ preference: 10, exchange }];
const a = ['192.0.2.1'];
const ENFORCE = 'version: STSv1\nmode: enforce\nmx: mx.sts.example\nmx: *.wild.example\nmax_age: 604800\n';
const TESTING = ENFORCE.replace('enforce', 'testing');

/** Secure unless it says otherwise. */
const ZONE: Zone = {
  'dane.example': { mx: mx('mx.dane.example') },
  'mx.dane.example': { a },
  '_25._tcp.mx.dane.example': { tlsa: [EE] },
  '_2525._tcp.mx.dane.example': { tlsa: [TA] },

  'alias.example': { cname: 'dane.example' },

  'implicit.example': { a },
  '_25._tcp.implicit.example': { tlsa: [EE] },

  'cname.example': { mx: mx('mx.cname.example') },
  'mx.cname.example': { cname: 'mx.dane.example' },
  '_25._tcp.mx.cname.example': { tlsa: [TA] },

  'back.example': { mx: mx('mx.back.example') },
  'mx.back.example': { cname: 'host.bare.example' },
  'host.bare.example': { a },
  '_25._tcp.mx.back.example': { tlsa: [TA] },

  'half.example': { mx: mx('mx.half.example') },
  'mx.half.example': { cname: 'host.insecure.example' },
  'host.insecure.example': { a, authentic: false },
  '_25._tcp.mx.half.example': { tlsa: [TA] },
  '_25._tcp.host.insecure.example': { fails: 'servfail' },

  'badalias.example': { mx: mx('mx.badalias.example') },
  'mx.badalias.example': { cname: 'host.insecure.example', authentic: false },
  '_25._tcp.mx.badalias.example': { fails: 'servfail' },

  'insecuremx.example': { mx: mx('mx.dane.example'), authentic: false },
  'insecurehost.example': { mx: mx('host.insecure.example') },

  'insecuretlsa.example': { mx: mx('mx.insecuretlsa.example') },
  'mx.insecuretlsa.example': { a },
  '_25._tcp.mx.insecuretlsa.example': { cname: 'tlsa.insecure.example' },
  'tlsa.insecure.example': { tlsa: [EE], authentic: false },

  'tlsacname.example': { mx: mx('mx.tlsacname.example') },
  'mx.tlsacname.example': { a },
  '_25._tcp.mx.tlsacname.example': { cname: '_25._tcp.mx.dane.example' },

  'unusable.example': { mx: mx('mx.unusable.example') },
  'mx.unusable.example': { a },
  '_25._tcp.mx.unusable.example': { tlsa: [PKIX_EE] },

  'mixed.example': { mx: mx('mx.mixed.example') },
  'mx.mixed.example': { a },
  '_25._tcp.mx.mixed.example': { tlsa: [PKIX_EE, TA] },

  'bogus.example': { mx: mx('mx.bogus.example') },
  'mx.bogus.example': { a },
  '_25._tcp.mx.bogus.example': { tlsa: [EE], fails: 'bogus' },

  'six.example': { mx: mx('mx.six.example') },
  'mx.six.example': { a, aaaa: ['2001:db8::1'] },
  '_25._tcp.mx.six.example': { tlsa: [EE] },

  'plain.example': { mx: mx('mx.plain.example') },
  'mx.plain.example': { a },

  'sts.example': { mx: mx('mx.sts.example'), authentic: false },
  'mx.sts.example': { a, authentic: false },
  '_mta-sts.sts.example': { txt: ['v=STSv1; id=1;'] },
  'other.example': { mx: mx('mx.plain.example'), authentic: false },
  '_mta-sts.other.example': { txt: ['v=STSv1; id=1;'] },
  'wild.example': { mx: mx('a.wild.example'), authentic: false },
  'a.wild.example': { a },
  '_mta-sts.wild.example': { txt: ['v=STSv1; id=1;'] },
  'testing.example': { mx: mx('mx.sts.example'), authentic: false },
  '_mta-sts.testing.example': { txt: ['v=STSv1; id=1;'] },
  'testingother.example': { mx: mx('mx.plain.example'), authentic: false },
  '_mta-sts.testingother.example': { txt: ['v=STSv1; id=1;'] },
  'none.example': { mx: mx('mx.sts.example'), authentic: false },
  '_mta-sts.none.example': { txt: ['v=STSv1; id=1;'] },
  'both.example': { mx: mx('mx.dane.example') },
  '_mta-sts.both.example': { txt: ['v=STSv1; id=1;'] },
  'sts-host.example': { a, authentic: false },
  '_mta-sts.sts-host.example': { txt: ['v=STSv1; id=1;'] },
  'sts-other.example': { a, authentic: false },
  '_mta-sts.sts-other.example': { txt: ['v=STSv1; id=1;'] },
  'sts-testing.example': { a, authentic: false },
  '_mta-sts.sts-testing.example': { txt: ['v=STSv1; id=1;'] },
  'bothbogus.example': { mx: mx('mx.bogus.example') },
  '_mta-sts.bothbogus.example': { txt: ['v=STSv1; id=1;'] },
};

const HOST_ENFORCE = ENFORCE.replace('mx.sts.example', 'sts-host.example');

const DOCUMENTS: Readonly<Record<string, string>> = {
  'mta-sts.sts.example': ENFORCE,
  'mta-sts.other.example': ENFORCE,
  'mta-sts.wild.example': ENFORCE,
  'mta-sts.testing.example': TESTING,
  'mta-sts.testingother.example': TESTING,
  'mta-sts.none.example': 'version: STSv1\nmode: none\nmax_age: 86400\n',
  'mta-sts.sts-host.example': HOST_ENFORCE,
  'mta-sts.sts-other.example': HOST_ENFORCE,
  'mta-sts.sts-testing.example': HOST_ENFORCE.replace('enforce', 'testing').replace(
    'sts-host',
    'sts-testing',
  ),
  // As strict as can be, and not of this host: DANE goes before it.
  'mta-sts.both.example': ENFORCE,
  'mta-sts.bothbogus.example': ENFORCE.replace('mx.sts.example', 'mx.bogus.example'),
};

type World = {
  readonly policy: DomainTlsPolicy;
  readonly routing: Routing;
  readonly events: DeliveryEvent[];
  tallies(): Promise<readonly TlsTally[]>;
};

function world(
  options: Partial<DomainTlsPolicyOptions> & { readonly records?: MemoryTlsRecords } = {},
): World {
  const resolver = new MemoryResolver(ZONE, { authentic: true });
  const clock = new FakeClock();
  const events: DeliveryEvent[] = [];
  const tell = (event: DeliveryEvent): void => void events.push(event);
  const records = options.records ?? new MemoryTlsRecords();
  const tallies = new TlsTallies({ records, clock, events: tell });
  const fetch = async (host: string): Promise<Result<string, PolicyFetchProblem>> => {
    const text = DOCUMENTS[host];
    return text === undefined ? err({ kind: 'unreachable', text: 'ECONNREFUSED' }) : ok(text);
  };
  const sts = new StsPolicies({ resolver, fetch, records, tallies, clock, events: tell });
  return {
    policy: new DomainTlsPolicy(
      { resolver, sts, tallies, events: tell },
      { rules: [], otherwise: 'default', usesDane: true, ...options },
    ),
    routing: new Routing({
      resolver,
      random: seededRandom(),
      ownNames: [],
      ownAddresses: [],
      loopbackAllowed: false,
    }),
    events,
    tallies: async () => {
      await tallies.stop();
      const keys = await records.reportKeys({}, undefined, 100);
      return (await Promise.all(keys.map((key) => records.results(key)))).flat();
    },
  };
}

/** What is asked of the first host of the domain, as delivery asks. */
async function ask(
  { policy, routing }: World,
  domain: string,
  wish?: TlsWish,
  port = 25,
  route: RouteTls = 'policy',
): Promise<HostTls | Exclude<DomainTls, { kind: 'policy' }>> {
  const found = await routing.exchangesOf(domain);
  assert.ok(found.kind === 'exchanges', domain);
  const answer = await policy.ofDomain({ domain, protocol: 'smtp', ...found }, wish, route);
  if (answer.kind !== 'policy') return answer;
  const [host = ''] = found.exchanges;
  const addresses = await routing.addressesOf(host, 'by-dns');
  assert.ok(addresses.kind === 'addresses', host);
  return answer.of({ host, port, ...addresses });
}

function word(answer: HostTls | ({ readonly kind: 'delayed' | 'failed' } & Problem)): string {
  if (answer.kind !== 'require') return `${answer.kind} ${answer.status} ${answer.reason}`;
  const { tls } = answer;
  const wanted = 'wanted' in tls && tls.wanted !== undefined ? ' wanting' : '';
  const records = 'records' in tls ? ` ${tls.records.map(({ usage }) => usage).join('')}` : '';
  return `${tls.kind}${wanted}${records}${'names' in tls ? ` ${tls.names.join(' ')}` : ''}`;
}

const cases: readonly { name: string; domain: string; want: string; wish?: TlsWish; port?: number }[] = [
  {
    name: 'secure MX, secure TLSA (RFC 7672 §2.2.1)',
    domain: 'dane.example',
    want: 'dane 3 mx.dane.example dane.example',
  },
  {
    name: 'the port is part of the question (RFC 7672 §2.2.3)',
    domain: 'dane.example',
    port: 2525,
    want: 'dane 2 mx.dane.example dane.example',
  },
  {
    name: 'the domain and what it is an alias of are names too (RFC 7672 §3.2.2)',
    domain: 'alias.example',
    want: 'dane 3 mx.dane.example alias.example dane.example',
  },
  { name: 'no MX (RFC 7672 §2.2.2)', domain: 'implicit.example', want: 'dane 3 implicit.example' },
  {
    name: 'the name at the end of a secure CNAME goes first (RFC 7672 §2.2.2)',
    domain: 'cname.example',
    want: 'dane 3 mx.dane.example cname.example',
  },
  {
    name: 'without records there, the name at its beginning (RFC 7672 §2.2.3)',
    domain: 'back.example',
    want: 'dane 2 mx.back.example back.example',
  },
  {
    name: 'a secure CNAME to an insecure host: its own name alone (RFC 7672 §2.2.2)',
    domain: 'half.example',
    want: 'dane 2 mx.half.example half.example',
  },
  {
    name: 'an insecure CNAME is not asked about (RFC 7672 §2.2.2)',
    domain: 'badalias.example',
    want: 'opportunistic',
  },
  { name: 'an insecure MX (RFC 7672 §2.2.1)', domain: 'insecuremx.example', want: 'opportunistic' },
  {
    name: 'an insecure host is not asked about (RFC 7672 §2.2.2)',
    domain: 'insecurehost.example',
    want: 'opportunistic',
  },
  { name: 'insecure TLSA (RFC 7672 §2.2)', domain: 'insecuretlsa.example', want: 'opportunistic' },
  {
    name: 'a CNAME of TLSA leaves the base domain (RFC 7672 §2.2.3)',
    domain: 'tlsacname.example',
    want: 'dane 3 mx.tlsacname.example tlsacname.example',
  },
  { name: 'none of the records usable (RFC 7672 §2.2)', domain: 'unusable.example', want: 'encrypt' },
  {
    name: 'the usable records alone (RFC 7672 §3.1.3)',
    domain: 'mixed.example',
    want: 'dane 2 mx.mixed.example mixed.example',
  },
  {
    name: 'bogus TLSA (RFC 7672 §2.1.2)',
    domain: 'bogus.example',
    want: 'delayed 4.7.5 tls.tlsa-unavailable',
  },
  {
    name: 'both families (RFC 7672 §2.2.2)',
    domain: 'six.example',
    want: 'dane 3 mx.six.example six.example',
  },
  { name: 'no TLSA (RFC 7672 §2.2)', domain: 'plain.example', want: 'opportunistic' },
  { name: 'an address (RFC 7672 §2.2)', domain: '[192.0.2.9]', want: 'opportunistic' },

  { name: 'enforce (RFC 8461 §5)', domain: 'sts.example', want: 'verified mx.sts.example' },
  { name: 'enforce, by a wildcard (RFC 8461 §4.1)', domain: 'wild.example', want: 'verified a.wild.example' },
  {
    name: 'enforce, and another host (RFC 8461 §5)',
    domain: 'other.example',
    want: 'delayed 4.7.5 tls.sts-mx-mismatch',
  },
  { name: 'testing (RFC 8461 §5)', domain: 'testing.example', want: 'opportunistic wanting' },
  {
    name: 'testing, and another host (RFC 8461 §5)',
    domain: 'testingother.example',
    want: 'opportunistic wanting',
  },
  { name: 'mode none (RFC 8461 §5)', domain: 'none.example', want: 'opportunistic' },
  {
    name: 'DANE goes before MTA-STS (RFC 8461 §2)',
    domain: 'both.example',
    want: 'dane 3 mx.dane.example both.example',
  },
  {
    name: 'MTA-STS does not allow what DANE forbids (RFC 8461 §2)',
    domain: 'bothbogus.example',
    want: 'delayed 4.7.5 tls.tlsa-unavailable',
  },

  {
    name: 'REQUIRETLS, DANE (RFC 8689 §4.2.1)',
    domain: 'dane.example',
    wish: 'require',
    want: 'dane 3 mx.dane.example dane.example',
  },
  {
    name: 'REQUIRETLS, a secure MX alone (RFC 8689 §4.2.1)',
    domain: 'plain.example',
    wish: 'require',
    want: 'verified mx.plain.example',
  },
  {
    name: 'REQUIRETLS, unusable TLSA (RFC 8689 §4.2.1)',
    domain: 'unusable.example',
    wish: 'require',
    want: 'verified mx.unusable.example',
  },
  {
    name: 'REQUIRETLS, MTA-STS (RFC 8689 §4.2.1)',
    domain: 'sts.example',
    wish: 'require',
    want: 'verified mx.sts.example',
  },
  {
    name: 'REQUIRETLS, MTA-STS in testing (RFC 8689 §4.2.1)',
    domain: 'testing.example',
    wish: 'require',
    want: 'verified mx.sts.example',
  },
  {
    name: 'REQUIRETLS, MTA-STS of another host (RFC 8689 §4.2.1)',
    domain: 'other.example',
    wish: 'require',
    want: 'failed 5.7.10 tls.required-unsecured-mx',
  },
  {
    name: 'REQUIRETLS, nothing (RFC 8689 §4.2.1)',
    domain: 'insecuremx.example',
    wish: 'require',
    want: 'failed 5.7.10 tls.required-unsecured-mx',
  },
  {
    name: 'REQUIRETLS, bogus (RFC 7672 §2.1.2)',
    domain: 'bogus.example',
    wish: 'require',
    want: 'delayed 4.7.5 tls.tlsa-unavailable',
  },
  {
    name: 'REQUIRETLS, no MX (RFC 8689 §4.2.1)',
    domain: 'implicit.example',
    wish: 'require',
    want: 'dane 3 implicit.example',
  },
  {
    name: 'REQUIRETLS, an address (RFC 8689 §4.2.1)',
    domain: '[192.0.2.9]',
    wish: 'require',
    want: 'verified 192.0.2.9',
  },
  {
    name: 'TLS-Required: No, DANE (RFC 8689 §4.2.2)',
    domain: 'dane.example',
    wish: 'optional',
    want: 'opportunistic',
  },
  {
    name: 'TLS-Required: No, bogus (RFC 8689 §4.2.2)',
    domain: 'bogus.example',
    wish: 'optional',
    want: 'opportunistic',
  },
  {
    name: 'TLS-Required: No, MTA-STS (RFC 8689 §4.2.2)',
    domain: 'other.example',
    wish: 'optional',
    want: 'opportunistic',
  },
];
for (const { name, domain, want, wish, port } of cases)
  test(`${name}: ${want}`, async () => {
    assert.equal(word(await ask(world(), domain, wish, port)), want);
  });

const rule = (domain: string, demand: TlsRule['demand'], settings: TlsRule['settings'] = {}): TlsRule => ({
  domain,
  demand,
  settings,
});
const sha256 = ['ab'.repeat(32)];
const operators: readonly {
  name: string;
  demand: TlsRule['demand'];
  domain: string;
  want: string;
  wish?: TlsWish;
}[] = [
  { name: 'none, though DANE', demand: { kind: 'none' }, domain: 'dane.example', want: 'none' },
  { name: 'encrypt', demand: { kind: 'encrypt' }, domain: 'plain.example', want: 'encrypt' },
  {
    name: 'encrypt is not given up for the sender',
    demand: { kind: 'encrypt' },
    domain: 'plain.example',
    wish: 'optional',
    want: 'encrypt',
  },
  {
    name: 'verify by the host',
    demand: { kind: 'verify', names: [] },
    domain: 'plain.example',
    want: 'verified mx.plain.example',
  },
  {
    name: 'verify by names',
    demand: { kind: 'verify', names: ['x.example', 'y.example'] },
    domain: 'bogus.example',
    want: 'verified x.example y.example',
  },
  {
    name: 'fingerprint',
    demand: { kind: 'fingerprint', sha256 },
    domain: 'plain.example',
    want: 'fingerprint',
  },
  {
    name: 'dane-only (RFC 7672 §6)',
    demand: { kind: 'dane-only' },
    domain: 'dane.example',
    want: 'dane 3 mx.dane.example dane.example',
  },
  {
    name: 'dane-only, insecure MX (RFC 7672 §2.2.1)',
    demand: { kind: 'dane-only' },
    domain: 'insecuremx.example',
    want: 'delayed 4.7.5 tls.dane-required',
  },
  {
    name: 'dane-only, no TLSA (RFC 7672 §6)',
    demand: { kind: 'dane-only' },
    domain: 'plain.example',
    want: 'delayed 4.7.5 tls.dane-required',
  },
  {
    name: 'dane-only, unusable (RFC 7672 §6)',
    demand: { kind: 'dane-only' },
    domain: 'unusable.example',
    want: 'delayed 4.7.5 tls.dane-required',
  },
  {
    name: 'dane-only, bogus (RFC 7672 §2.1.2)',
    demand: { kind: 'dane-only' },
    domain: 'bogus.example',
    want: 'delayed 4.7.5 tls.tlsa-unavailable',
  },
  {
    name: 'none does not do for REQUIRETLS (RFC 8689 §4.2.1)',
    demand: { kind: 'none' },
    domain: 'plain.example',
    wish: 'require',
    want: 'verified mx.plain.example',
  },
  {
    name: 'a host that an insecure MX names is not secured by its own name',
    demand: { kind: 'verify', names: [] },
    domain: 'insecuremx.example',
    wish: 'require',
    want: 'failed 5.7.10 tls.required-unsecured-mx',
  },
  {
    name: 'names of the operator do for REQUIRETLS',
    demand: { kind: 'verify', names: ['x.example'] },
    domain: 'insecuremx.example',
    wish: 'require',
    want: 'verified x.example',
  },
];
for (const { name, demand, domain, want, wish } of operators)
  test(`the operator says ${name}: ${want}`, async () => {
    const asked = world({ rules: [rule(domain, demand)] });
    assert.equal(word(await ask(asked, domain, wish)), want);
  });

type RouteCase = {
  readonly host: string;
  readonly level: RouteTls;
  readonly want: string;
  readonly why: string;
  readonly wish?: TlsWish;
  readonly port?: number;
  readonly protocol?: 'smtp' | 'lmtp';
  /** An address, or behind a proxy. */
  readonly nameless?: boolean;
  readonly demand?: TlsRule['demand'];
};
const byRoute: readonly RouteCase[] = [
  {
    host: 'mx.dane.example',
    level: 'policy',
    want: 'dane 3 mx.dane.example',
    why: 'no MX is asked for (RFC 7672 §2.2.2)',
  },
  {
    host: 'mx.dane.example',
    level: 'policy',
    port: 2525,
    want: 'dane 2 mx.dane.example',
    why: 'the port of the route (RFC 7672 §2.2.3)',
  },
  {
    host: 'mx.cname.example',
    level: 'policy',
    want: 'dane 3 mx.dane.example mx.cname.example',
    why: 'the end of a secure alias, and the name itself (RFC 7672 §3.2.2)',
  },
  {
    host: 'mx.half.example',
    level: 'policy',
    want: 'dane 2 mx.half.example',
    why: 'a secure alias of an insecure host (RFC 7672 §2.2.2)',
  },
  {
    host: 'host.insecure.example',
    level: 'policy',
    want: 'opportunistic',
    why: 'TLSA of an insecure host is not asked for (RFC 7672 §2.2.2)',
  },
  {
    host: 'mx.bogus.example',
    level: 'opportunistic',
    want: 'delayed 4.7.5 tls.tlsa-unavailable',
    why: 'bogus TLSA (RFC 7672 §2.1.2)',
  },
  { host: 'mx.plain.example', level: 'policy', want: 'opportunistic', why: 'nothing is found' },
  { host: 'mx.plain.example', level: 'encrypt', want: 'encrypt', why: 'the route asks for more' },
  {
    host: 'mx.plain.example',
    level: 'authenticated',
    want: 'verified mx.plain.example',
    why: 'a CA, without TLSA records',
  },
  {
    host: 'mx.dane.example',
    level: 'authenticated',
    want: 'dane 3 mx.dane.example',
    why: 'TLSA records in the place of a CA',
  },
  {
    host: 'mx.unusable.example',
    level: 'authenticated',
    want: 'verified mx.unusable.example',
    why: 'a CA where no TLSA record is usable (RFC 7672 §2.2)',
  },
  { host: 'mx.dane.example', level: 'encrypt', want: 'dane 3 mx.dane.example', why: 'DANE is stricter' },
  {
    host: 'mx.dane.example',
    level: 'verified',
    want: 'verified mx.dane.example',
    why: 'the route asks for a CA whatever is found',
  },
  { host: 'mx.bogus.example', level: 'verified', want: 'verified mx.bogus.example', why: 'and asks nobody' },
  { host: 'mx.bogus.example', level: 'none', want: 'none', why: 'the route forbids TLS' },
  {
    host: 'sts-host.example',
    level: 'policy',
    want: 'verified sts-host.example',
    why: 'the host is the Policy Domain (RFC 8461 §3.4)',
  },
  {
    host: 'sts-other.example',
    level: 'encrypt',
    want: 'delayed 4.7.5 tls.sts-mx-mismatch',
    why: 'its policy does not name it (RFC 8461 §5)',
  },
  {
    host: 'sts-testing.example',
    level: 'policy',
    want: 'opportunistic wanting',
    why: 'testing (RFC 8461 §5)',
  },
  {
    host: 'sts-testing.example',
    level: 'encrypt',
    want: 'encrypt wanting',
    why: 'testing is told of where the route asks for more (RFC 8461 §5)',
  },
  {
    host: 'sts-other.example',
    level: 'policy',
    protocol: 'lmtp',
    want: 'opportunistic',
    why: 'LMTP is no relay (RFC 8461 §3.4)',
  },
  {
    host: 'mx.dane.example',
    level: 'policy',
    protocol: 'lmtp',
    want: 'dane 3 mx.dane.example',
    why: 'TLSA names a port, not a protocol (RFC 7672 §2.2.3)',
  },
  { host: 'sts-host.example', level: 'policy', nameless: true, want: 'opportunistic', why: 'no name' },
  { host: 'mx.dane.example', level: 'encrypt', nameless: true, want: 'encrypt', why: 'no name' },
  {
    host: 'mx.dane.example',
    level: 'policy',
    wish: 'optional',
    want: 'opportunistic',
    why: 'TLS-Required: No (RFC 8689 §4.2.2)',
  },
  {
    host: 'mx.dane.example',
    level: 'authenticated',
    wish: 'optional',
    want: 'verified mx.dane.example',
    why: 'TLS-Required: No takes nothing from the route (RFC 8689 §4.2.2)',
  },
  {
    host: 'mx.plain.example',
    level: 'none',
    wish: 'require',
    want: 'verified mx.plain.example',
    why: 'REQUIRETLS, and the operator names the host (RFC 8689 §4.2.1)',
  },
  {
    host: 'mx.dane.example',
    level: 'policy',
    wish: 'require',
    want: 'dane 3 mx.dane.example',
    why: 'REQUIRETLS, DANE (RFC 8689 §4.2.1)',
  },
  {
    host: '192.0.2.9',
    level: 'opportunistic',
    nameless: true,
    wish: 'require',
    want: 'verified 192.0.2.9',
    why: 'REQUIRETLS, an address of the operator (RFC 8689 §4.2.1)',
  },
  {
    host: 'mx.dane.example',
    level: 'policy',
    demand: { kind: 'fingerprint', sha256 },
    want: 'fingerprint',
    why: 'a rule for the name of the host',
  },
  {
    host: 'mx.dane.example',
    level: 'verified',
    demand: { kind: 'fingerprint', sha256 },
    want: 'fingerprint',
    why: 'a fingerprint is as strict as a CA, and closer',
  },
  {
    host: 'mx.plain.example',
    level: 'authenticated',
    demand: { kind: 'encrypt' },
    want: 'verified mx.plain.example',
    why: 'the stricter of route and rule',
  },
  {
    host: 'mx.plain.example',
    level: 'policy',
    demand: { kind: 'dane-only' },
    want: 'delayed 4.7.5 tls.dane-required',
    why: 'dane-only for the name of the host (RFC 7672 §6)',
  },
  {
    host: 'mx.dane.example',
    level: 'policy',
    nameless: true,
    demand: { kind: 'dane-only' },
    want: 'delayed 4.7.5 tls.dane-required',
    why: 'dane-only behind a proxy (RFC 7672 §6)',
  },
];

/** As delivery asks about a host that a route names. */
async function askRoute(
  { policy, routing }: World,
  { host, level, wish, port = 25, protocol = 'smtp', nameless = false }: Omit<RouteCase, 'want' | 'why'>,
): Promise<HostTls | Exclude<DomainTls, { kind: 'policy' }>> {
  const answer = await policy.ofDomain(
    { domain: host, source: 'route', authentic: !nameless, canonicalName: host, protocol },
    wish,
    level,
  );
  if (answer.kind !== 'policy') return answer;
  if (nameless) return answer.of({ host, port, canonicalName: host, authentic: false });
  const addresses = await routing.addressesOf(host, 'by-operator');
  assert.ok(addresses.kind === 'addresses', host);
  return answer.of({ host, port, ...addresses });
}

for (const { want, why, ...question } of byRoute)
  test(`a route to ${question.host} with ${question.level}, ${why}: ${want}`, async () => {
    const { host, demand } = question;
    const rules = [rule('*', { kind: 'none' }), ...(demand === undefined ? [] : [rule(host, demand)])];
    // What is said of domains is not said of the hosts of a route.
    const asked = world({ otherwise: 'none', rules });
    assert.equal(word(await askRoute(asked, question)), want);
  });

const domainRoutes: readonly { domain: string; level: RouteTls; demand?: TlsRule['demand']; want: string }[] =
  [
    { domain: 'dane.example', level: 'encrypt', want: 'dane 3 mx.dane.example dane.example' },
    { domain: 'plain.example', level: 'encrypt', want: 'encrypt' },
    { domain: 'dane.example', level: 'none', want: 'none' },
    { domain: 'dane.example', level: 'verified', want: 'verified mx.dane.example' },
    { domain: 'plain.example', level: 'opportunistic', demand: { kind: 'none' }, want: 'opportunistic' },
    { domain: 'plain.example', level: 'opportunistic', demand: { kind: 'encrypt' }, want: 'encrypt' },
    {
      domain: 'plain.example',
      level: 'verified',
      demand: { kind: 'verify', names: ['x.example'] },
      want: 'verified x.example',
    },
  ];
for (const { domain, level, demand, want } of domainRoutes)
  test(`a route to the hosts of ${domain} with ${level}, the operator says ${demand?.kind ?? 'nothing'}: ${want}`, async () => {
    const asked = world({ rules: demand === undefined ? [] : [rule(domain, demand)] });
    assert.equal(word(await ask(asked, domain, undefined, 25, level)), want);
  });

test('a rule for a host of a route shows it a certificate, whatever the route asks for', async () => {
  const settings = { versionMin: 'TLSv1.3', identity: { chain: 'c', key: 'k' } } as const;
  const asked = world({ rules: [rule('mx.plain.example', { kind: 'default' }, settings)] });
  for (const level of ['policy', 'encrypt', 'authenticated', 'verified'] as const) {
    const answer = await askRoute(asked, { host: 'mx.plain.example', level });
    assert.ok(answer.kind === 'require' && answer.tls.kind !== 'none');
    assert.deepEqual([answer.tls.versionMin, answer.tls.identity], ['TLSv1.3', settings.identity], level);
  }
});

test('the closest rule decides', async () => {
  const rules = [
    rule('*', { kind: 'encrypt' }),
    rule('.example', { kind: 'fingerprint', sha256 }),
    rule('plain.example', { kind: 'none' }),
  ];
  assert.equal(word(await ask(world({ rules }), 'plain.example')), 'none');
  assert.equal(word(await ask(world({ rules }), 'dane.example')), 'fingerprint');
  assert.equal(word(await ask(world({ rules: rules.slice(0, 1) }), 'dane.example')), 'encrypt');
});

test('a rule may ask for a version and show a certificate, whatever the domain promises', async () => {
  const settings = { versionMin: 'TLSv1.3', identity: { chain: 'c', key: 'k' } } as const;
  for (const domain of ['dane.example', 'sts.example', 'plain.example', 'unusable.example']) {
    const asked = world({ rules: [rule(domain, { kind: 'default' }, settings)] });
    const answer = await ask(asked, domain);
    assert.ok(answer.kind === 'require' && answer.tls.kind !== 'none');
    assert.deepEqual([answer.tls.versionMin, answer.tls.identity], ['TLSv1.3', settings.identity]);
  }
});

test('without DANE and without TLS', async () => {
  assert.equal(word(await ask(world({ usesDane: false }), 'dane.example')), 'opportunistic');
  assert.equal(word(await ask(world({ otherwise: 'none' }), 'dane.example')), 'none');
});

test('what cannot be read makes mail wait', async () => {
  class Broken extends MemoryTlsRecords {
    override async stsPolicy(): Promise<never> {
      throw new Fault('Reading what is known of TLS', new Error('disk'));
    }
  }
  const broken = world({ records: new Broken() });
  assert.equal(word(await ask(broken, 'sts.example')), 'delayed 4.3.0 fault');
  assert.deepEqual(
    broken.events.map(({ name }) => name),
    ['delivery.fault'],
  );
});

const secured: TlsConnection['outcome'] = { kind: 'tls', protocol: 'TLSv1.3', cipher: 'x' };
const told: readonly { domain: string; outcome: TlsConnection['outcome'] | undefined; want: string }[] = [
  { domain: 'dane.example', outcome: { ...secured, verifiedBy: 'dane-ee' }, want: 'tlsa ok' },
  {
    domain: 'dane.example',
    outcome: { kind: 'failed', failure: { kind: 'not-offered', text: '' } },
    want: 'tlsa starttls-not-supported',
  },
  {
    domain: 'dane.example',
    outcome: { kind: 'failed', failure: { kind: 'other-than-tlsa', text: '' } },
    want: 'tlsa tlsa-invalid',
  },
  { domain: 'unusable.example', outcome: secured, want: 'tlsa tlsa-invalid' },
  { domain: 'bogus.example', outcome: undefined, want: 'tlsa dnssec-invalid' },
  { domain: 'sts.example', outcome: { ...secured, verifiedBy: 'pkix' }, want: 'sts ok' },
  {
    domain: 'sts.example',
    outcome: { kind: 'failed', failure: { kind: 'host-mismatch', text: '' } },
    want: 'sts certificate-host-mismatch',
  },
  {
    domain: 'sts.example',
    outcome: { kind: 'failed', failure: { kind: 'expired', text: '' } },
    want: 'sts certificate-expired',
  },
  {
    domain: 'sts.example',
    outcome: { kind: 'failed', failure: { kind: 'not-trusted', text: '' } },
    want: 'sts certificate-not-trusted',
  },
  {
    domain: 'sts.example',
    outcome: { kind: 'failed', failure: { kind: 'handshake', text: '' } },
    want: 'sts validation-failure',
  },
  { domain: 'other.example', outcome: undefined, want: 'sts validation-failure' },
  { domain: 'testing.example', outcome: { ...secured, verifiedBy: 'pkix' }, want: 'sts ok' },
  {
    domain: 'testing.example',
    outcome: { ...secured, shortfall: { kind: 'expired', text: 'x' } },
    want: 'sts certificate-expired',
  },
  { domain: 'testing.example', outcome: { kind: 'plain' }, want: 'sts starttls-not-supported' },
  { domain: 'plain.example', outcome: secured, want: 'no-policy-found ok' },
  { domain: 'plain.example', outcome: { kind: 'plain' }, want: 'no-policy-found starttls-not-supported' },
];
for (const { domain, outcome, want } of told)
  test(`counted of ${domain}, ${JSON.stringify(outcome)}: ${want} (RFC 8460 §4.3)`, async () => {
    const asked = world();
    const answer = await ask(asked, domain);
    if (outcome !== undefined) {
      assert.ok(answer.kind === 'require');
      answer.told?.({ outcome, address: '192.0.2.1', localAddress: '192.0.2.7' });
    }
    const tallies = await asked.tallies();
    assert.deepEqual(
      tallies.map(({ policy, failure, sessions }) => [`${policy.type} ${failure?.type ?? 'ok'}`, sessions]),
      [[want, 1]],
    );
    assert.equal(tallies[0]?.domain, domain);
    if (outcome !== undefined && tallies[0]?.failure !== undefined)
      assert.deepEqual([tallies[0].failure.sendingIp, tallies[0].failure.mxIp], ['192.0.2.7', '192.0.2.1']);
  });

const toldOfRoutes: readonly {
  host: string;
  level: RouteTls;
  outcome: TlsConnection['outcome'];
  want: string;
}[] = [
  {
    host: 'mx.dane.example',
    level: 'policy',
    outcome: { ...secured, verifiedBy: 'dane-ee' },
    want: 'tlsa ok',
  },
  { host: 'sts-host.example', level: 'encrypt', outcome: { ...secured, verifiedBy: 'pkix' }, want: 'sts ok' },
  { host: 'mx.plain.example', level: 'policy', outcome: secured, want: 'no-policy-found ok' },
  {
    host: 'sts-testing.example',
    level: 'encrypt',
    outcome: { ...secured, shortfall: { kind: 'expired', text: 'x' } },
    want: 'sts certificate-expired',
  },
  // The operator asked for it, not the host.
  { host: 'mx.plain.example', level: 'authenticated', outcome: secured, want: '' },
  { host: 'sts-host.example', level: 'verified', outcome: secured, want: '' },
];
for (const { host, level, outcome, want } of toldOfRoutes)
  test(`counted of the route's host ${host} with ${level}: ${want || 'nothing'} (RFC 8460 §4.3)`, async () => {
    const asked = world();
    const answer = await askRoute(asked, { host, level });
    assert.ok(answer.kind === 'require');
    answer.told?.({ outcome, address: '192.0.2.1', localAddress: '192.0.2.7' });
    const tallies = await asked.tallies();
    assert.deepEqual(
      tallies.map(({ domain, policy, failure }) => `${domain} ${policy.type} ${failure?.type ?? 'ok'}`),
      want === '' ? [] : [`${host} ${want}`],
    );
  });

test('what no policy of the domain decided is not reported to it', async () => {
  const asked = world({ rules: [rule('dane.example', { kind: 'encrypt' })] });
  for (const wish of [undefined, 'optional'] as const) {
    const answer = await ask(asked, 'dane.example', wish);
    assert.ok(answer.kind === 'require' && answer.told === undefined);
  }
  await settled();
  assert.deepEqual(await asked.tallies(), []);
});
