/**
 * What the checks cost, on their own: CPU of a session with one message through the default checks, of a stranger who is
 * counted by everything and of an address that is exempt. `node bench/policy.ts [count]`. Each result is a line of JSON.
 */
import { composeChecks } from '../src/app/compose-policy.ts';
import { systemClock, systemRandom } from '../src/app/system.ts';
import { MemoryDirectory } from '../src/auth/memory/directory.ts';
import { parseConfig } from '../src/config/config.ts';
import { createRateMemory, RateTable } from '../src/net/rate-table.ts';
import { Pipeline } from '../src/policy/pipeline.ts';
import { sessionChecks } from '../src/policy/session-checks.ts';
import { Trust } from '../src/policy/trust.ts';
import { NO_MAIL_PARAMETERS, NO_RCPT_PARAMETERS } from '../src/smtp/wire/parameter.ts';

const count = Number(process.argv[2] ?? 100_000);
const ADDRESS = '192.0.2.1';
const HEADER = Buffer.from('Subject: x\r\nFrom: <ann@far.example>\r\n\r\n');
const PLENTY = 1_000_000_000;
/** All limits are there, and none is reached. */
const limits = ['connections', 'commands', 'errors', 'messages', 'recipients', 'octets'].map(
  (what) => `${what}PerHour = ${PLENTY * (what === 'octets' ? 1000 : 1)}`,
);
const of = (...names: readonly string[]): string =>
  limits.filter((line) => names.length === 0 || names.some((name) => line.startsWith(name))).join('\n');
const config = parseConfig(
  [
    'hostname = "mx.here.example"',
    'dataDirectory = "/nowhere"',
    '[tls]',
    'selfSigned = true',
    `[rates.address]\n${of()}`,
    `[rates.network]\n${of()}`,
    `[rates.sender]\n${of('messages', 'recipients', 'octets')}`,
    `[rates.recipient]\n${of('messages', 'octets')}`,
  ].join('\n'),
);
if (!config.ok) throw new TypeError(JSON.stringify(config.error));

const path = { localPart: 'ann', domain: 'far.example', domainSyntax: 'name', ascii: true } as const;
const recipient = { forwardPath: path, parameters: NO_RCPT_PARAMETERS };

for (const client of ['stranger', 'exempt'] as const) {
  const checks = composeChecks({
    config: config.value,
    directory: new MemoryDirectory({ clock: systemClock, random: systemRandom }),
    queue: { scheduled: async () => ({ messages: 0, octets: 0 }) },
    clock: systemClock,
    newId: () => 'id',
    rates: new RateTable(createRateMemory(), systemClock),
    gauge: { enter: () => () => undefined },
    trust: new Trust({ proxies: client === 'exempt' ? [ADDRESS] : [], forwarders: [], peers: [], own: [] }),
    suspend: () => undefined,
  });
  let said = 0;
  const events = (): void => void (said += 1);
  const open = sessionChecks(new Pipeline(checks, { clock: systemClock, events }));
  const run = (times: number): void => {
    for (let number = 0; number < times; number += 1) {
      const policy = open();
      const session = {
        sessionId: `session${number}`,
        role: { name: 'relay' },
        remote: { address: ADDRESS, port: 1 },
        local: { address: '192.0.2.25', port: 25 },
        hello: { verb: 'EHLO', domain: 'mx.far.example' },
        tls: undefined,
        principal: undefined,
        earlyTalker: false,
      } as const;
      const transaction = {
        traceId: `trace${number}`,
        startedAtMs: 0,
        reversePath: path,
        parameters: NO_MAIL_PARAMETERS,
        recipients: [recipient],
      };
      policy.reader(transaction, session);
      const answers = [
        policy.connect(session),
        policy.hello(session),
        policy.mail(transaction, session),
        policy.recipient(recipient, transaction, session),
        policy.data(transaction, session),
        policy.message(HEADER, HEADER.length, transaction, session),
      ];
      if (answers.some((answer) => answer instanceof Promise)) throw new TypeError('A check made us wait');
      policy.disconnect(session, { commands: 4, messages: 1, octetsReceived: 200 });
    }
  };
  run(count / 4);
  const from = process.cpuUsage();
  run(count);
  const { user, system } = process.cpuUsage(from);
  if (said > 0) throw new TypeError('A check had something to say: this was not the way of every message');
  const microseconds = Number(((user + system) / count).toFixed(2));
  console.log(JSON.stringify({ section: 'policy', client, sessions: count, cpuMicroseconds: microseconds }));
}
