import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Check } from 'typebox/schema';
import { LIMITS } from '../base/limits.ts';
import { formatProblem, parseConfig } from './config.ts';
import { keyLines, lineOf } from './lines.ts';
import { readTable } from './read.ts';
import type { SchemaNode, TableNode } from './schema-node.ts';
import { SCHEMA } from './schema.ts';

const MINIMAL =
  'hostname = "mail.example.org"\ndataDirectory = "/var/lib/postrider"\n[tls]\nselfSigned = true\n';

function problemsOf(text: string): string[] {
  const result = parseConfig(text);
  return result.ok ? [] : result.error.map(formatProblem);
}

test('four lines are a configuration, and every default is in place', () => {
  const result = parseConfig(MINIMAL);
  assert.ok(result.ok, problemsOf(MINIMAL).join('\n'));
  const { listeners, store, queue, routes, limits } = result.value;
  assert.equal(listeners.smtp.port, 25);
  assert.deepEqual(listeners.imaps.addresses, ['0.0.0.0', '::']);
  assert.equal(listeners.lmtp.enabled, false);
  assert.equal(store.backend, 'embedded');
  assert.deepEqual(routes, []);
  assert.equal(queue.expireAfterSeconds, 432_000);
  assert.equal(limits.messageOctetsMax, LIMITS.messageOctetsMax);
});

test('defaults of limits are those of base/limits', () => {
  const { properties } = SCHEMA.properties.limits;
  assert.equal(properties.messageOctetsMax.default, LIMITS.messageOctetsMax);
  assert.equal(properties.recipientsMax.default, LIMITS.smtpRecipientsMax);
  assert.equal(properties.smtpErrorsMax.default, LIMITS.smtpErrorsMax);
  assert.equal(properties.imapErrorsMax.default, LIMITS.imapErrorsMax);
  assert.equal(properties.imapIdleSeconds.default * 1000, LIMITS.imapIdleMs);
  assert.equal(properties.pop3ErrorsMax.default, LIMITS.pop3ErrorsMax);
  assert.equal(properties.pop3IdleSeconds.default * 1000, LIMITS.pop3IdleMs);
});

const refused = [
  {
    name: 'a mistyped key is answered with the nearest one',
    text: `${MINIMAL}[log]\nlevl = "info"\n`,
    want: ['log.levl (line 6): is not a known key (did you mean "log.level"?)'],
  },
  {
    name: 'another way to write a key is understood, not accepted',
    text: `${MINIMAL}[limits]\nmessage_octets_max = 1\n`,
    want: [
      'limits.message_octets_max (line 6): is not a known key (did you mean "limits.messageOctetsMax"?)',
    ],
  },
  {
    name: 'a key in the wrong table is shown its own',
    text: `selfSigned = true\n${MINIMAL}`,
    want: ['selfSigned (line 1): is not a known key (did you mean "tls.selfSigned"?)'],
  },
  {
    name: 'a key like no other',
    text: `${MINIMAL}[zebra]\nstripes = 1\n`,
    want: ['zebra (line 5): is not a known key'],
  },
  {
    name: 'the prototype is no key',
    text: `${MINIMAL}[__proto__]\nx = 1\n`,
    want: ['__proto__ (line 5): is not a known key'],
  },
  {
    name: 'all problems at once, in the order of the file',
    text: 'dataDirectory = ""\n[tls]\nselfSigned = "yes"\n[listeners.imap]\nport = 70000\n',
    want: [
      'hostname: is missing',
      'dataDirectory (line 1): must not be empty',
      'tls.selfSigned (line 3): must be true or false, not "yes"',
      'listeners.imap.port (line 5): must be a whole number from 1 to 65535, not 70000',
    ],
  },
  {
    name: 'a choice is shown with the nearest word',
    text: `${MINIMAL}[listeners.smtp]\ntls = "starttsl"\n`,
    want: [
      'listeners.smtp.tls (line 6): must be one of "none", "starttls", "implicit", not "starttsl" (did you mean "starttls"?)',
    ],
  },
  {
    name: 'a table is not a number',
    text: `limits = 3\n${MINIMAL}`,
    want: ['limits (line 1): must be a table, not 3'],
  },
  {
    name: 'an item of a list by its number',
    text: `${MINIMAL}[resolver]\nservers = ["192.0.2.1", "[2001:db8::1]:53", "192.0.2.1:0"]\n`,
    want: [
      'resolver.servers[2] (line 6): must be an IP address, with a port if it is not 53, not "192.0.2.1:0"',
    ],
  },
  {
    name: 'no certificate',
    text: 'hostname = "mail.example.org"\ndataDirectory = "/x"\n',
    want: ['tls: needs certificateFile and keyFile, or selfSigned = true'],
  },
  {
    name: 'half a certificate',
    text: 'hostname = "mail.example.org"\ndataDirectory = "/x"\ntls.keyFile = "/k"\n',
    want: ['tls: certificateFile and keyFile belong together'],
  },
  {
    name: 'two listeners on one port',
    text: `${MINIMAL}[listeners.imap]\nport = 25\naddresses = ["::"]\n`,
    want: ['listeners.imap.port (line 6): 25 on :: is taken by listeners.smtp'],
  },
  {
    name: 'PostgreSQL without a place',
    text: `${MINIMAL}[store]\nbackend = "postgres"\n`,
    want: ['store.url (line 5): is missing, and the backend is "postgres"'],
  },
  {
    name: 'a URL that is wrong is not told again: there may be a password in it',
    text: `${MINIMAL}[store]\nbackend = "postgres"\nurl = "postgres:/me:secret@db/mail"\n`,
    want: ['store.url (line 7): must be a URL such as "postgres://user@host/database"'],
  },
  {
    name: 'control characters, which would end a path, or a line of a reply',
    text: `${MINIMAL}[sendmail]\ndirectory = "/a\\u0000b"\n[[rules]]\nname = "a"\nclients = ["192.0.2.1"]\naction = "refuse"\ntext = "No\\r\\n250 Yes"\n`,
    want: [
      'sendmail.directory (line 6): must hold no line ends and no other control characters',
      'rules[0].text (line 11): must hold no line ends and no other control characters',
    ],
  },
  {
    name: 'a password in the clear',
    text: `${MINIMAL}[[routes]]\nname = "r"\nhosts = ["relay.example.net"]\ntls = "none"\nusername = "u"\npasswordFile = "/p"\n`,
    want: ['routes[0].tls (line 8): cannot be "none" where a password is sent'],
  },
  {
    name: 'a route needs a name that is its own',
    text: `${MINIMAL}[[routes]]\nhosts = ["a"]\n[[routes]]\nname = "x"\n[[routes]]\nname = "x y"\n`,
    want: [
      'routes[0].name (line 5): is missing',
      'routes[2].name (line 10): must be a name of letters, digits and hyphens, not "x y"',
    ],
  },
  {
    name: 'routes and pools of one name',
    text: `${MINIMAL}${'[[routes]]\nname = "x"\n'.repeat(2)}${'[[pools]]\nname = "p"\nsources = [{ address = "192.0.2.1" }]\n'.repeat(2)}`,
    want: ['routes[1].name (line 8): "x" is taken', 'pools[1].name (line 13): "p" is taken'],
  },
  {
    name: 'patterns, hosts and sources that are none',
    text: `${MINIMAL}[[routes]]\nname = "r"\nrecipients = ["a b"]\nsenders = ["<a>"]\nhosts = ["a:b"]\n[[pools]]\nname = "p"\nsources = [{ address = "x" }]\n`,
    want: [
      'routes[0].recipients[0] (line 7): must be "example.org", ".example.org", "someone@example.org" or "*", not "a b"',
      'routes[0].senders[0] (line 8): must be "example.org", ".example.org", "someone@example.org", "<>" or "*", not "<a>"',
      'routes[0].hosts[0] (line 9): must be a host such as "relay.example.net" or "relay.example.net:587", not "a:b"',
      'pools[0].sources[0].address (line 12): must be an IP address, not "x"',
    ],
  },
  {
    name: 'a fallback that is not there, and a pool',
    text: `${MINIMAL}[[routes]]\nname = "r"\nfallback = "s"\npool = "p"\n`,
    want: [
      'routes[0] (line 5): names the pool "p", which is not there',
      'routes[0].fallback (line 7): names the route "s", which is not there',
    ],
  },
  {
    name: 'fallbacks that lead round',
    text: `${MINIMAL}[[routes]]\nname = "a"\nfallback = "b"\n[[routes]]\nname = "b"\nfallback = "a"\n`,
    want: [
      'routes[0].fallback (line 7): leads back to where it began',
      'routes[1].fallback (line 10): leads back to where it began',
    ],
  },
  {
    name: 'what needs hosts',
    text: `${MINIMAL}[[routes]]\nname = "a"\nprotocol = "lmtp"\nimplicitTls = true\nfallbackAfterSeconds = 1\n`,
    want: [
      'routes[0].protocol (line 7): cannot be "lmtp" without hosts',
      'routes[0].implicitTls (line 8): needs hosts',
      'routes[0].fallbackAfterSeconds (line 9): needs a fallback',
    ],
  },
  {
    name: 'an open relay',
    text: `${MINIMAL}[relaying]\nnetworks = ["10.0.0.0/8", "0.0.0.0/0", "::/0"]\ndomains = ["*"]\n`,
    want: [
      'relaying.networks[1] (line 6): would let everybody send to anywhere',
      'relaying.networks[2] (line 6): would let everybody send to anywhere',
      'relaying.domains[0] (line 7): would let everybody send to anywhere',
    ],
  },
  {
    name: 'rules that contradict themselves',
    text: `${MINIMAL}[[rules]]\nname = "a"\naction = "refuse"\n[[rules]]\nname = "a"\naction = "tag"\ncontains = "x"\nsenders = ["*"]\n[[rules]]\nname = "b"\naction = "add-field"\nheader = "A B"\nfield = "no field"\n[[rules]]\nname = "c"\nlocalUsers = ["*"]\nclients = ["192.0.2.0/24"]\naction = "hold"\n`,
    want: [
      'rules[0] (line 5): has no condition, and would hold for everything',
      'rules[1] (line 8): contains and equals need a header',
      'rules[1] (line 8): tag and the action "tag" belong together',
      'rules[1].name (line 9): "a" is there twice',
      'rules[2].header (line 16): is no name of a field',
      'rules[2].field (line 17): must be a field of printable ASCII such as "X-Checked: yes"',
      'rules[3].localUsers (line 20): cannot hold beside clients, helo or signedIn = "no": a program has none of them',
    ],
  },
  {
    name: 'TLS policies that contradict themselves',
    text: `${MINIMAL}[[tlsPolicies]]\ndomain = "a.example"\nlevel = "fingerprint"\n[[tlsPolicies]]\ndomain = "A.example"\nnames = ["x"]\nkeyFile = "/k"\n`,
    want: [
      'tlsPolicies[0] (line 5): level = "fingerprint" and fingerprints belong together',
      'tlsPolicies[1] (line 8): certificateFile and keyFile belong together',
      'tlsPolicies[1].domain (line 9): has a policy already',
      'tlsPolicies[1].names (line 10): are of use with level = "verify" alone',
    ],
  },
  {
    name: 'TLS policies of no domain, with no fingerprint',
    text: `${MINIMAL}[[tlsPolicies]]\ndomain = "*.a.example"\nlevel = "fingerprint"\nfingerprints = ["abc"]\n`,
    want: [
      'tlsPolicies[0].domain (line 6): must be "example.org", ".example.org" or "*", not "*.a.example"',
      'tlsPolicies[0].fingerprints[0] (line 8): must be a SHA-256 sum of 64 hexadecimal digits, not "abc"',
    ],
  },
] as const;

for (const { name, text, want } of refused) {
  test(name, () => assert.deepEqual(problemsOf(text), want));
}

test('what is not TOML is told by its line', () => {
  assert.match(problemsOf('hostname = "a.example"\nport =\n')[0] ?? '', /^line 2: not valid TOML: /);
});

test('a line inside a multi-line text is no key', () => {
  const text = `hostname = """\nlog = 1\n"""\n${MINIMAL.slice(MINIMAL.indexOf('\n') + 1)}[log]\nlevel = 1\n`;
  assert.deepEqual(
    problemsOf(text).map((problem) => problem.slice(0, problem.indexOf(':'))),
    ['hostname (line 1)', 'log.level (line 8)'],
  );
});

test('every key says what it is for, and is asked for or has a default or may be left out', () => {
  const visit = (node: TableNode, path: string): void => {
    for (const name of node.required) assert.ok(Object.hasOwn(node.properties, name), `${path}${name}`);
    for (const [name, child] of Object.entries(node.properties)) {
      assert.match(child.description ?? '', /\.$/, `${path}${name}`);
      if (child.type === 'object') visit(child, `${path}${name}.`);
      else if (child.default !== undefined) assert.ok(node.required.includes(name), `${path}${name}`);
    }
  };
  visit(SCHEMA, '');
});

const WITH_LIST: TableNode = {
  type: 'object',
  required: ['routes'],
  properties: {
    routes: {
      type: 'array',
      minItems: 0,
      default: [],
      items: {
        type: 'object',
        required: ['domain', 'port'],
        properties: {
          domain: { type: 'string' },
          port: { type: 'integer', minimum: 1, maximum: 65_535, default: 25 },
        },
      },
    },
  },
};

test('a list of tables has the defaults of each, and says which one is wrong', () => {
  const problems: string[] = [];
  const read = (value: unknown): unknown =>
    readTable(WITH_LIST, value, '', (path, text) => problems.push(`${path}: ${text}`));
  assert.deepEqual(read({}), { routes: [] });
  assert.deepEqual(read({ routes: [{ domain: 'a' }] }), { routes: [{ domain: 'a', port: 25 }] });
  assert.deepEqual(problems, []);
  read({ routes: [{ domain: 'a' }, { domain: 'b', prt: 1 }, 7] });
  read({ routes: { domain: 'a' } });
  assert.deepEqual(problems, [
    'routes[1].prt: is not a known key (did you mean "routes[1].port"?)',
    'routes[2]: must be a table, not 7',
    'routes: must be a list of tables, not a table',
  ]);
});

test('the second table of a list is found by its own lines', () => {
  const lines = keyLines('[[routes]]\nport = 1\n[[routes]]\nport = 2\n');
  assert.equal(lineOf(lines, 'routes[0].port'), 2);
  assert.equal(lineOf(lines, 'routes[1].port'), 4);
  assert.equal(lineOf(lines, 'routes[1].domain'), 3);
  assert.equal(lineOf(lines, 'routes'), 1);
});

/** Values near what a node asks for, right and wrong. */
function valuesFor(node: SchemaNode): fc.Arbitrary<unknown> {
  switch (node.type) {
    case 'object':
      return fc.record(
        Object.fromEntries(Object.entries(node.properties).map(([key, child]) => [key, valuesFor(child)])),
        { requiredKeys: [], noNullPrototype: true },
      );
    case 'string':
      return fc.oneof(fc.constantFrom(...(node.enum ?? ['x', ''])), fc.integer());
    case 'integer':
      return fc.oneof(fc.integer({ min: node.minimum, max: node.maximum }), fc.integer(), fc.constant('1'));
    case 'boolean':
      return fc.oneof(fc.boolean(), fc.constant('true'));
    case 'array':
      return fc.array(valuesFor(node.items), { maxLength: 3 });
  }
}

/** Formats are ours alone, and a default is no concern of a validator's. */
function withoutFormats(node: SchemaNode): SchemaNode {
  const { format: _, ...rest } = node;
  if (rest.type === 'array') return { ...rest, items: withoutFormats(rest.items) as typeof rest.items };
  if (rest.type !== 'object') return rest;
  const properties = Object.fromEntries(
    Object.entries(rest.properties).map(([key, child]) => [key, withoutFormats(child)]),
  );
  return { ...rest, properties };
}

test('what passes here passes a JSON Schema validator, and what is refused here fails there', () => {
  const schema = withoutFormats(SCHEMA) as TableNode;
  fc.assert(
    fc.property(valuesFor(schema), (value) => {
      const problems: string[] = [];
      const read = readTable(schema, value, '', (path, text) => problems.push(`${path} ${text}`));
      assert.equal(Check(schema as typeof SCHEMA, read), problems.length === 0, problems.join('\n'));
    }),
    { numRuns: 300 },
  );
});

test('no text makes it throw', () => {
  const line = fc.constantFrom(
    '[tls]',
    'a = 1',
    '[[x]]',
    'a.b = """',
    "'''",
    '"a" = {b = 1}',
    '= ',
    '[a',
    'x = [1,',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(line, fc.string())), (lines) => {
      parseConfig(lines.join('\n'));
    }),
  );
});
