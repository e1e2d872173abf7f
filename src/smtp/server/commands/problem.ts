/** The reply to a command line that does not parse. Codes: RFC 5321 §4.2.2 and §4.2.4, RFC 3463 §3.2 and §3.6. */
import { unreachable } from '../../../base/unreachable.ts';
import type { CommandProblem } from '../../wire/command.ts';
import type { ParameterProblem } from '../../wire/parameter.ts';
import type { PathProblem } from '../../wire/path.ts';
import { reply } from '../../wire/reply.ts';
import type { Outcome } from '../outcome.ts';
import { refused } from '../outcome.ts';

export function problemOutcome(problem: CommandProblem): Outcome {
  switch (problem.kind) {
    case 'unknown-command':
      return refused('unknown-command', reply(500, '5.5.1', 'No such command'));
    case 'bad-octets':
      return refused('bad-octets', reply(500, '5.5.2', 'Octets that have no place in a command'));
    case 'syntax':
      return refused('syntax', reply(501, '5.5.4', `Syntax: ${problem.usage}`));
    case 'path':
      return pathOutcome(problem.verb, problem.problem);
    case 'parameter':
      return parameterOutcome(problem.problem);
    default:
      return unreachable(problem);
  }
}

export const LINE_TOO_LONG: Outcome = refused('line-too-long', reply(500, '5.5.2', 'Line too long'));
/** RFC 4954 §4 and §6: with the initial response, or in the exchange. */
export const AUTH_LINE_TOO_LONG: Outcome = refused(
  'line-too-long',
  reply(500, '5.5.6', 'Authentication line too long'),
);
export const BARE_NEWLINE: Outcome = refused(
  'bare-newline',
  reply(500, '5.5.2', 'A CR or LF on its own, only CRLF ends a line'),
);

/** RFC 3463 §3.2: X.1.7 bad sender's mailbox address syntax, X.1.3 bad destination mailbox address syntax. */
function pathOutcome(verb: 'MAIL' | 'RCPT', problem: PathProblem | 'null'): Outcome {
  const status = verb === 'MAIL' ? '5.1.7' : '5.1.3';
  return refused('bad-path', reply(501, status, PATH_TEXT[problem]));
}

const PATH_TEXT = {
  'no-brackets': 'The address must stand in < and >',
  'source-route': 'The source route is malformed',
  'local-part': 'The part before the @ is malformed',
  domain: 'The domain is malformed',
  unclosed: 'The address has no closing >',
  'local-part-too-long': 'The part before the @ is too long',
  'domain-too-long': 'The domain is too long',
  null: 'A recipient cannot be empty',
} as const satisfies Record<PathProblem | 'null', string>;

function parameterOutcome({ kind, keyword }: ParameterProblem): Outcome {
  switch (kind) {
    case 'unknown':
      // RFC 5321 §4.1.1.11: 555 for parameters that are not recognised.
      return refused('unknown-parameter', reply(555, '5.5.4', `Unknown parameter ${keyword.slice(0, 40)}`));
    case 'syntax':
    case 'repeated':
    case 'bad-value':
      return refused('bad-parameter', reply(501, '5.5.4', `Bad parameter ${keyword.slice(0, 40)}`.trimEnd()));
    default:
      return unreachable(kind);
  }
}
