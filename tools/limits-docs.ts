/** docs/limits.md from src/base/limits.ts: its comments are the text, so that a limit cannot change without its page. */
import { readFileSync } from 'node:fs';
import { LIMITS } from '../src/base/limits.ts';

const HEAD = `# Limits

Everything that a peer can grow has a limit with a name, a default and an answer; reaching it is answered, never suffered.
Those that the configuration can change are in [config.md](config.md#limits). Units are in the names: octets, ms, or a count.

## What is answered

| reached | SMTP, submission, LMTP | IMAP |
|---|---|---|
| connections in all, or of one network | \`421 4.7.0\`, closed; ports of TLS are closed without a word | \`* BYE [LIMIT]\`, closed |
| descriptors of the process | as above: connections leave some to the disk and to deliveries | as above |
| a handshake that stalls | closed | closed |
| time to sign in | \`421 4.7.0\`, closed | \`* BYE\`, closed |
| silence, or a command that is never whole | \`421 4.4.2\`, closed | \`* BYE\`, closed |
| a session without a message | \`421 4.4.2\`, closed | |
| a message that takes too long | \`421 4.4.2\`, closed | |
| a line | \`500 5.5.2\`, skipped to its end; \`421 4.7.0\` and closed where that does not come | \`BAD\`, skipped; \`* BYE\` and closed where the end does not come |
| a literal | | \`BAD [TOOBIG]\` before it is sent; skipped, or \`* BYE\`, where it was not asked for |
| a message | \`552 5.3.4\` | \`NO [TOOBIG]\` |
| a bare CR or LF | \`550 5.6.11\`: it never ends a line, nor the data | |
| recipients of a message | \`452 4.5.3\` | |
| refused commands or recipients, commands that move nothing | \`421 4.7.0\`, closed | \`* BYE\`, closed |
| Received fields | \`554 5.4.6\` | |
| wrong passwords in one session | \`535 5.7.8\` each, then \`421 4.7.0\`, closed | \`NO [AUTHENTICATIONFAILED]\`, each later than the last, then \`* BYE\` |
| wrong passwords of one network, or more logins than can be hashed | \`454 4.7.0\` | \`NO [UNAVAILABLE]\` |
| nesting, keys, ranges, items of a command | | \`BAD\` |
| octets or fields of the header | \`552 5.3.4\`: what is beyond them no check would see | taken in and kept; what is beyond is served, not looked into |
| nesting, parts, addresses of a message | taken in and kept; what is beyond is served, not looked into | the same |
| quota | \`452\` at delivery, a retry, then a report | \`NO [OVERQUOTA]\` |
| what the client does not read | no more is made; cut after five minutes, or when the time to sign in is over | the same |

## All of them

| name | default | what for |
|---|---|---|
`;

export function limitsDocument(): string {
  const source = readFileSync(new URL('../src/base/limits.ts', import.meta.url), 'utf8');
  const rows: string[] = [];
  let said = '';
  // A comment stands before the first limit that it is about; those that follow at once share it.
  for (const [, comment, name] of source.matchAll(/\/\*\*([^]*?)\*\/|^ {2}(\w+):/gm)) {
    if (comment !== undefined) said = comment.replaceAll(/\s*\n\s*\*?\s*/g, ' ').trim();
    else if (name !== undefined && isLimit(name))
      rows.push(`| \`${name}\` | ${grouped(LIMITS[name])} | ${said.replaceAll('|', '\\|')} |`);
  }
  return `${HEAD}${rows.join('\n')}\n`;
}

function isLimit(name: string): name is keyof typeof LIMITS {
  return Object.hasOwn(LIMITS, name);
}

function grouped(value: number): string {
  return value.toLocaleString('en');
}
