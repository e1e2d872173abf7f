/** What goes out to a hop that lacks extensions: the message in another form, or a failure that says why there is none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { newMessage, queued, remoteRecipient } from '../../../test/support/queued.ts';
import { directRoute } from '../../../test/support/routes.ts';
import { seededRandom } from '../../../test/support/world.ts';
import { fromLatin1, latin1 } from '../../base/bytes.ts';
import { MemoryResolver } from '../../dns/memory/resolver.ts';
import type { NewQueuedMessage } from '../../queue/queue.ts';
import { openMemoryBlobStore } from '../../store/memory/blob-store.ts';
import type { DeliveryEvent } from '../event.ts';
import type { HopMessage, HopVisit } from './hop.ts';
import { BrokenTls } from './broken-tls.ts';
import { RemoteDelivery } from './remote-delivery.ts';
import { Routing } from './routing.ts';
import { uniformTlsPolicy } from './tls-policy.ts';

type Extension = 'smtputf8' | '8bitmime' | 'binarymime';

/** As the SMTP client decides it. */
function lackOf(
  { body, smtpUtf8, recipients }: HopMessage,
  offers: readonly Extension[],
): Extension | undefined {
  const isInternational = smtpUtf8 || recipients.some(({ forwardPath }) => /[^\x00-\x7f]/.test(forwardPath));
  if (isInternational && !offers.includes('smtputf8')) return 'smtputf8';
  if (body === 'binarymime' && !offers.includes('binarymime')) return 'binarymime';
  return body === '8bitmime' && !offers.includes('8bitmime') ? '8bitmime' : undefined;
}

async function send(
  content: string,
  offers: readonly Extension[],
  more: Partial<NewQueuedMessage> & { readonly to?: string | readonly string[] } = {},
) {
  const { to = 'bob@far.example', ...envelope } = more;
  const blobs = openMemoryBlobStore();
  const writer = blobs.create();
  await writer.write(fromLatin1(content));
  const blob = await writer.finish();
  const events: DeliveryEvent[] = [];
  const taken: {
    readonly content: string;
    readonly foretold: number;
    readonly body: string;
    readonly to: readonly string[];
  }[] = [];
  let visits = 0;
  const delivery = new RemoteDelivery({
    routing: new Routing({
      resolver: new MemoryResolver({ 'far.example': { a: ['192.0.2.1'] } }),
      random: seededRandom(),
      ownNames: [],
      ownAddresses: [],
      loopbackAllowed: false,
    }),
    tlsPolicy: uniformTlsPolicy({ kind: 'opportunistic' }),
    hop: {
      visit: async (_target, message): Promise<HopVisit> => {
        visits += 1;
        const what = lackOf(message, offers);
        if (what !== undefined) return { kind: 'cannot', what };
        const pieces: Uint8Array[] = [];
        for await (const piece of message.content()) pieces.push(piece);
        const sent = latin1(Buffer.concat(pieces));
        taken.push({
          content: sent,
          foretold: message.octets,
          body: `${message.body}${message.smtpUtf8 ? ' smtputf8' : ''}`,
          to: message.recipients.map(({ forwardPath }) => forwardPath),
        });
        const reply = { code: 250, lines: ['2.0.0 Ok'] };
        const answers = message.recipients.map(() => ({ kind: 'replied', at: 'content', reply }) as const);
        return { kind: 'session', answers, speaksDsn: false };
      },
    },
    brokenTls: new BrokenTls(new FakeClock(), 0),
    blobs,
    clock: new FakeClock(),
    events: (event) => events.push(event),
  });
  const message = queued(
    newMessage(
      [to]
        .flat()
        .map((address) => remoteRecipient(address, { route: { kind: 'remote', domain: 'far.example' } })),
      { blob, prefix: fromLatin1('Received: here\r\n'), ...envelope },
    ),
  );
  const signal = new AbortController().signal;
  const { outcomes } = await delivery.deliver(
    message,
    directRoute('far.example'),
    message.recipients,
    signal,
  );
  const outcome = message.recipients
    .map(({ number }) => outcomes.get(number))
    .map((one) => `${one?.kind} ${one?.answer?.status}`)
    .join(', ');
  return { taken, events, visits, outcome };
}

const EIGHT =
  'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n';
const TEXT = `${EIGHT}a text of some length in which one letter is \xc3\xa4\r\n`;
const BINARY =
  'MIME-Version: 1.0\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\n\xff';
const SIGNED = `Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xe4\r\n--b--\r\n`;

const converted: readonly {
  readonly name: string;
  readonly content: string;
  readonly offers: readonly Extension[];
  readonly more?: Parameters<typeof send>[2];
  readonly body: string;
  readonly ends: string;
}[] = [
  {
    name: '8-bit text to a hop without 8BITMIME (RFC 6152 §3)',
    content: TEXT,
    offers: [],
    more: { body: '8bitmime' },
    body: '7bit',
    ends: 'Content-Transfer-Encoding: quoted-printable\r\n\r\na text of some length in which one letter is =C3=A4\r\n',
  },
  {
    name: '8-bit text to a hop with 8BITMIME',
    content: TEXT,
    offers: ['8bitmime'],
    more: { body: '8bitmime' },
    body: '8bitmime',
    ends: TEXT,
  },
  {
    name: 'what was only said to be 8-bit',
    content: 'Subject: x\r\n\r\nx\r\n',
    offers: [],
    more: { body: '8bitmime' },
    body: '7bit',
    ends: 'Subject: x\r\n\r\nx\r\n',
  },
  {
    name: 'binary content to a hop with 8BITMIME (RFC 3030 §3)',
    content: BINARY,
    offers: ['8bitmime'],
    more: { body: 'binarymime' },
    body: '8bitmime',
    ends: 'Content-Transfer-Encoding: base64\r\n\r\nAAr/\r\n',
  },
  {
    name: 'binary content to a hop with nothing (RFC 3030 §3)',
    content: BINARY,
    offers: [],
    more: { body: 'binarymime' },
    body: '7bit',
    ends: 'Content-Transfer-Encoding: base64\r\n\r\nAAr/\r\n',
  },
  {
    name: 'what was only said to be internationalized (RFC 6531 §3.5)',
    content: TEXT,
    offers: ['8bitmime'],
    more: { body: '8bitmime', smtpUtf8: true },
    body: '8bitmime',
    ends: TEXT,
  },
  {
    name: 'the same to a hop with nothing',
    content: TEXT,
    offers: [],
    more: { body: '8bitmime', smtpUtf8: true },
    body: '7bit',
    ends: '=C3=A4\r\n',
  },
];
for (const { name, content, offers, more, body, ends } of converted)
  test(name, async () => {
    const { taken, outcome, events } = await send(content, offers, more);
    assert.equal(outcome, 'relayed 2.0.0');
    const [sent] = taken;
    assert.ok(sent !== undefined);
    assert.equal(sent.body, body);
    assert.ok(sent.content.startsWith('Received: here\r\n'), sent.content);
    assert.ok(sent.content.endsWith(ends), sent.content);
    // RFC 1870 §5: it may be less, not more.
    assert.ok(sent.foretold >= sent.content.length);
    assert.deepEqual(
      events.flatMap((event) => (event.name === 'delivery.converted' ? [event.to] : [])).at(-1),
      body === more?.body ? undefined : body,
    );
  });

const refused = [
  {
    name: 'an internationalized recipient (RFC 6531 §3.5)',
    content: 'Subject: x\r\n\r\n',
    more: { smtpUtf8: true, to: 'bøb@far.example' },
    want: 'failed 5.6.7',
  },
  {
    name: 'an internationalized sender (RFC 6531 §3.5)',
    content: 'Subject: x\r\n\r\n',
    more: { smtpUtf8: true, reversePath: 'bøb@here.example' },
    want: 'failed 5.6.7',
  },
  {
    name: 'an internationalized header (RFC 6531 §3.5)',
    content: 'Subject: \xc3\xa4\r\n\r\n',
    more: { smtpUtf8: true },
    want: 'failed 5.6.9',
  },
  {
    name: '8-bit content that is signed (RFC 1847 §2.1)',
    content: SIGNED,
    more: { body: '8bitmime' },
    want: 'failed 5.6.3',
  },
] as const;
for (const { name, content, more, want } of refused)
  test(`${name} fails at a hop that offers nothing`, async () => {
    const { taken, outcome, visits } = await send(content, [], more);
    assert.deepEqual([taken.length, outcome, visits], [0, want, 1]);
  });

const mixed: readonly {
  readonly name: string;
  readonly content: string;
  readonly offers?: readonly Extension[];
  readonly more?: Parameters<typeof send>[2];
  readonly taken: readonly string[];
  readonly want: string;
}[] = [
  {
    name: 'the others get the message',
    content: 'Subject: x\r\n\r\n',
    taken: ['ann@far.example', 'cat@far.example'],
    want: 'relayed 2.0.0, failed 5.6.7, relayed 2.0.0',
  },
  {
    name: 'the others get it converted',
    content: TEXT,
    more: { body: '8bitmime' },
    taken: ['ann@far.example', 'cat@far.example'],
    want: 'relayed 2.0.0, failed 5.6.7, relayed 2.0.0',
  },
  {
    name: 'all get it where the extension is offered',
    content: 'Subject: \xc3\xa4\r\n\r\n',
    offers: ['smtputf8'],
    taken: ['ann@far.example', 'bøb@far.example', 'cat@far.example'],
    want: 'relayed 2.0.0, relayed 2.0.0, relayed 2.0.0',
  },
  {
    name: 'each fails of its own lack where the header needs the extension',
    content: 'Subject: \xc3\xa4\r\n\r\n',
    taken: [],
    want: 'failed 5.6.9, failed 5.6.7, failed 5.6.9',
  },
  {
    name: 'all fail where the sender needs the extension',
    content: 'Subject: x\r\n\r\n',
    more: { reversePath: 'bøb@here.example' },
    taken: [],
    want: 'failed 5.6.7, failed 5.6.7, failed 5.6.7',
  },
  {
    name: 'each fails of its own lack where the content cannot be converted',
    content: SIGNED,
    more: { body: '8bitmime' },
    taken: [],
    want: 'failed 5.6.3, failed 5.6.7, failed 5.6.3',
  },
];
for (const { name, content, offers = [], more, taken, want } of mixed)
  test(`of three recipients one is internationalized (RFC 6531 §3.5): ${name}`, async () => {
    const to = ['ann@far.example', 'bøb@far.example', 'cat@far.example'];
    const sent = await send(content, offers, { smtpUtf8: true, to, ...more });
    assert.deepEqual([sent.outcome, sent.taken.flatMap((one) => one.to)], [want, taken]);
  });
