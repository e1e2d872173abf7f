/** Which messages and recipients a command of the queue is about. */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { QueueFilterView } from '../control/queue-view.ts';
import { readDuration, readOctets, readPriority } from './argument.ts';
import type { PriorityRange } from './argument.ts';
import { addPostOfficeOptions } from './post-office.ts';
import type { PostOfficeOptions } from './post-office.ts';

export type FilterOptions = PostOfficeOptions & {
  readonly state?: 'waiting' | 'held';
  readonly hold?: string;
  readonly domain?: string;
  readonly recipient?: string;
  readonly sender?: string;
  readonly account?: string;
  readonly source?: string;
  readonly older?: number;
  readonly newer?: number;
  readonly larger?: number;
  readonly smaller?: number;
  readonly priority?: PriorityRange;
  readonly reason?: string;
  readonly host?: string;
  readonly text?: string;
};

export function addFilterOptions(command: Command): Command {
  return addPostOfficeOptions(command)
    .addOption(new Option('--state <state>', 'of a recipient').choices(['waiting', 'held']))
    .option('--hold <reason>', "why it is held: 'operator', 'suspended:…', or the code of a rule")
    .option('--domain <domain>', 'where a recipient is')
    .option('--recipient <address>', 'one recipient')
    .option('--sender <address>', "the reverse-path; '<>' is the empty one")
    .option('--account <address>', 'the account that submitted it')
    .option('--source <ip>', 'the address of the client that gave it to us')
    .option('--older <time>', 'arrived longer ago: 90s, 10m, 2h, 3d', readDuration)
    .option('--newer <time>', 'arrived since', readDuration)
    .option('--larger <size>', 'at least so large: 4096, 500K, 2M', readOctets)
    .option('--smaller <size>', 'at most so large', readOctets)
    .option('--priority <range>', '-9 to 9, or a range like -9..-1', readPriority)
    .option('--reason <code>', "the last answer's reason code")
    .option('--host <name>', 'the host that gave the last answer')
    .option('--text <words>', 'is in the last answer');
}

/** Ages are turned into times here: the post office and this command may have a page or more between them. */
export function toFilter(options: FilterOptions, nowMs: number = Date.now()): QueueFilterView {
  const { state, hold, domain, recipient, sender, account, source, older, newer } = options;
  const { larger, smaller, priority, reason, host, text } = options;
  const filter: { [Key in keyof QueueFilterView]: QueueFilterView[Key] | undefined } = {
    state,
    hold,
    domain,
    recipient,
    sender: sender === '<>' ? '' : sender,
    account,
    source,
    arrivedBeforeMs: older === undefined ? undefined : nowMs - older,
    arrivedAfterMs: newer === undefined ? undefined : nowMs - newer,
    octetsMin: larger,
    octetsMax: smaller,
    priorityMin: priority?.min,
    priorityMax: priority?.max,
    reason,
    host,
    text,
  };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}
