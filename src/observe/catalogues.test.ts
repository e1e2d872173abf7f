import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeliveryEvent } from '../delivery/event.ts';
import type { ImapEvent } from '../imap/server/event.ts';
import type { Pop3Event } from '../pop3/server/event.ts';
import { CATALOGUES } from './catalogues.ts';
import type { EventOf } from './definition.ts';
import type { DELIVERY_EVENTS } from './events/delivery.ts';
import type { IMAP_EVENTS } from './events/imap.ts';
import type { POP3_EVENTS } from './events/pop3.ts';

/** Compiles only while every event of a server can be given to the observer of its catalogue. */
type Covers<_Server extends Event, Event> = true;
const covered: readonly true[] = [
  true satisfies Covers<ImapEvent, EventOf<typeof IMAP_EVENTS>>,
  true satisfies Covers<Pop3Event, EventOf<typeof POP3_EVENTS>>,
  true satisfies Covers<DeliveryEvent, EventOf<typeof DELIVERY_EVENTS>>,
];

for (const { subject, events } of CATALOGUES) {
  test(`${subject}: names, texts and metrics keep the rules`, () => {
    for (const [name, { text, fields, metrics = [] }] of Object.entries(events)) {
      assert.match(name, new RegExp(`^${subject}(\\.[a-z0-9-]+)+$`));
      assert.match(text, /^[A-Z].*[^.]$/, name);
      for (const [key, { description }] of Object.entries(fields))
        assert.match(description, /\.$/, `${name} ${key}`);
      for (const { labels = [], add } of metrics) {
        for (const label of labels) assert.ok(Object.hasOwn(fields, label), `${name}: ${label}`);
        if (add !== undefined) assert.equal(fields[add]?.type, 'number', `${name}: ${add}`);
      }
    }
  });
}

test('servers and catalogues agree', () => assert.equal(covered.length, 3));
