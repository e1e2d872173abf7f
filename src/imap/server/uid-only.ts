/** What a client that counts by UIDs alone may not say. Source: RFC 9586 §3. */
import type { Command } from '../wire/command.ts';
import type { SearchKey } from '../wire/command/search-key.ts';
import type { Outcome } from './command-context.ts';

export const UID_REQUIRED: Outcome = {
  status: 'BAD',
  code: 'UIDREQUIRED',
  text: 'There are no message numbers after ENABLE UIDONLY',
};

export function usesNumbers(command: Command): boolean {
  // RFC 9586 §3.7: the numbers that the client remembers for its UIDs.
  if ('qresync' in command) return command.qresync?.sequenceMatch !== undefined;
  // RFC 9586 §3.2, §3.8. EXPUNGE names no message.
  if ('uid' in command && !command.uid) return command.verb !== 'EXPUNGE';
  return 'key' in command && hasNumbers(command.key);
}

/** RFC 9586 §3.5. What `$` stands for is UIDs. */
function hasNumbers(key: SearchKey): boolean {
  const open: SearchKey[] = [key];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next.kind === 'and' || next.kind === 'or') open.push(...next.keys);
    else if (next.kind === 'not' || next.kind === 'fuzzy') open.push(next.key);
    else if (next.kind === 'sequence' && next.set.kind === 'ranges') return true;
  }
  return false;
}
