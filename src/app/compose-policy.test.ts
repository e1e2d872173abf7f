import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { seededRandom } from '../../test/support/world.ts';
import { MemoryDirectory } from '../auth/memory/directory.ts';
import { parseConfig } from '../config/config.ts';
import { createRateMemory, RateTable } from '../net/rate-table.ts';
import type { SessionFacts, TransactionFacts } from '../policy/facts.ts';
import { Pipeline } from '../policy/pipeline.ts';
import { sessionChecks } from '../policy/session-checks.ts';
import { Trust } from '../policy/trust.ts';
import { NO_MAIL_PARAMETERS, NO_RCPT_PARAMETERS } from '../smtp/wire/parameter.ts';
import { parseEnvelopeAddress } from '../smtp/wire/path.ts';
import { composeChecks } from './compose-policy.ts';

test('a stranger passes every stage without a promise, rules and rates included', () => {
  const clock = new FakeClock();
  const config = parseConfig(
    'hostname = "mx.here.example"\ndataDirectory = "/nowhere"\n[tls]\nselfSigned = true\n' +
      '[[rules]]\nname = "x"\nheader = "Subject"\ncontains = "x"\nsenders = ["other.example"]\naction = "hold"\n',
  );
  assert.ok(config.ok);
  const checks = composeChecks({
    config: config.value,
    directory: new MemoryDirectory({ clock, random: seededRandom() }),
    queue: { scheduled: () => assert.fail('nothing is to be released later') },
    clock,
    newId: () => 'ID',
    rates: new RateTable(createRateMemory(64, 64), clock),
    gauge: { enter: () => () => undefined },
    trust: new Trust({ proxies: [], forwarders: [], peers: [], own: [] }),
    suspend: () => assert.fail('nobody has signed in'),
  });
  const policy = sessionChecks(
    new Pipeline(checks, { clock, events: () => assert.fail('nothing to say') }),
  )();
  const session: SessionFacts = {
    sessionId: 's',
    role: { name: 'relay' },
    remote: { address: '192.0.2.1', port: 1 },
    local: { address: '192.0.2.25', port: 25 },
    hello: { verb: 'EHLO', domain: 'far.example' },
    tls: undefined,
    principal: undefined,
    earlyTalker: false,
  };
  const path = parseEnvelopeAddress('ann@far.example') ?? assert.fail();
  const recipient = { forwardPath: path, parameters: NO_RCPT_PARAMETERS };
  const transaction: TransactionFacts = {
    traceId: 't',
    startedAtMs: 0,
    reversePath: path,
    parameters: NO_MAIL_PARAMETERS,
    recipients: [recipient],
  };
  const answers = [
    policy.connect(session),
    policy.hello(session),
    policy.mail(transaction, session),
    policy.recipient(recipient, transaction, session),
    policy.data(transaction, session),
    policy.message(Buffer.from('Subject: y\r\n\r\n'), 14, transaction, session),
  ];
  for (const answer of answers) assert.ok(!(answer instanceof Promise) && answer.kind === 'accept');
});
