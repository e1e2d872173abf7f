/** docs/events.md: every event and metric, from the catalogue. */
import { CATALOGUES } from '../src/observe/catalogues.ts';
import type { Catalogue, EventDefinition } from '../src/observe/definition.ts';

const HEAD = `# Events and metrics

Made by \`npm run docs\` from \`src/observe/events/\`. A log line is one JSON object: \`time\`, \`level\`, \`thread\`, \`event\` (the
name below), \`text\`, and the fields of the event. Fields marked as addresses show their local part at level \`debug\` only,
fields marked as details are written at that level only, and what is marked as content never: the trace (trace.md) has them.
`;

export function eventsDocument(): string {
  return [HEAD, ...CATALOGUES.flatMap(section)].join('\n');
}

function section({ subject, description, events }: Catalogue): string[] {
  return [
    `## ${subject}`,
    '',
    description,
    '',
    ...Object.entries(events).flatMap(([name, event]) => one(name, event)),
  ];
}

function one(name: string, { level, text, fields, metrics = [] }: EventDefinition): string[] {
  const fieldLines = Object.entries(fields).map(([key, { type, description, optional, sensitive }]) => {
    const notes = [
      type,
      ...(optional === true ? ['may be absent'] : []),
      ...(sensitive === undefined ? [] : [sensitive]),
    ];
    return `- \`${key}\` (${notes.join(', ')}): ${description}`;
  });
  const metricLines = metrics.map(({ name: metric, help, labels = [], add }) => {
    const by = labels.length === 0 ? '' : ` by ${labels.map((label) => `\`${label}\``).join(', ')}`;
    return `- counts in \`${metric}\`${by}${add === undefined ? '' : `, adding \`${add}\``}: ${help}`;
  });
  return [
    `### \`${name}\``,
    '',
    `${text}. Level \`${level}\`.`,
    '',
    ...listed([...fieldLines, ...metricLines]),
  ];
}

function listed(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [...lines, ''];
}
