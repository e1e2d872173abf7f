/** What no key of a rule alone can tell. */
import type { XStatic } from 'typebox/schema';
import type { DeepReadonly } from './deep-readonly.ts';
import type { RULES } from './section/rules.ts';

type Report = (path: string, text: string) => void;
type RuleConfig = DeepReadonly<XStatic<typeof RULES>>[number];

/** RFC 5322 §2.2, §2.1.1: printable ASCII before the colon, one line that no reader folds. */
const FIELD = /^[!-9;-~]{1,76}: ?[\t\x20-\x7e]{0,900}$/;
const FIELD_NAME = /^[!-9;-~]{1,76}$/;

export function reportRuleContradictions(rules: readonly RuleConfig[], report: Report): void {
  const names = new Set<string>();
  for (const [index, rule] of rules.entries()) {
    const path = `rules[${index}]`;
    if (names.has(rule.name)) report(`${path}.name`, `${JSON.stringify(rule.name)} is there twice`);
    names.add(rule.name);
    reportRule(rule, path, report);
  }
}

function reportRule(rule: RuleConfig, path: string, report: Report): void {
  const { header, contains, equals, action, field, tag } = rule;
  const matches = contains !== undefined || equals !== undefined;
  if (header === undefined && matches) report(path, 'contains and equals need a header');
  if (header !== undefined && !FIELD_NAME.test(header)) report(`${path}.header`, 'is no name of a field');
  if (contains !== undefined && equals !== undefined)
    report(`${path}.equals`, 'cannot stand beside contains');
  if ((action === 'add-field') !== (field !== undefined))
    report(path, 'field and the action "add-field" belong together');
  if (field !== undefined && !FIELD.test(field))
    report(`${path}.field`, 'must be a field of printable ASCII such as "X-Checked: yes"');
  if ((action === 'tag') !== (tag !== undefined)) report(path, 'tag and the action "tag" belong together');
  const ofClients = rule.clients.length + rule.helo.length > 0 || rule.signedIn === 'no';
  if (rule.localUsers.length > 0 && ofClients)
    report(
      `${path}.localUsers`,
      'cannot hold beside clients, helo or signedIn = "no": a program has none of them',
    );
  const lists = [rule.clients, rule.localUsers, rule.helo, rule.senders, rule.recipients];
  const single = [rule.signedIn, header, rule.octetsMin];
  if (lists.every(({ length }) => length === 0) && single.every((one) => one === undefined))
    report(path, 'has no condition, and would hold for everything');
}
