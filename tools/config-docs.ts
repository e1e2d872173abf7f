/** docs/config.md: every key of the configuration file, from its schema. */
import { tableOf } from '../src/config/read.ts';
import type { ListNode, SchemaNode, TableNode } from '../src/config/schema-node.ts';
import { SCHEMA } from '../src/config/schema.ts';

const HEAD = `# The configuration file

Made by \`npm run docs\` from \`src/config/schema.ts\`. \`postrider check --config FILE\` says what is wrong with a file without
doing anything; \`postrider serve --config FILE\` runs it. A key that is not listed here is an error.

The least that is needed:

\`\`\`toml
hostname = "mail.example.org"
dataDirectory = "/var/lib/postrider"
[tls]
certificateFile = "/etc/ssl/mail.example.org.pem"
keyFile = "/etc/ssl/private/mail.example.org.key"
\`\`\`
`;

export function configDocument(): string {
  return [HEAD, ...tables('', SCHEMA)].join('\n');
}

function tables(path: string, node: TableNode, list?: ListNode): string[] {
  const entries = Object.entries(node.properties);
  const keys = entries.filter(([, child]) => tableOf(child) === undefined);
  const rows = keys.map(([key, child]) => row(key, child, node.required.includes(key)));
  const table = rows.length === 0 ? [] : ['| Key | Value | Default | |', '|---|---|---|---|', ...rows, ''];
  const inner = entries.flatMap(([key, child]) => {
    const under = tableOf(child);
    const name = path === '' ? key : `${path}.${key}`;
    return under === undefined ? [] : tables(name, under, child.type === 'array' ? child : undefined);
  });
  const title = list === undefined ? `[${path}]` : `[[${path}]]`;
  return [
    `## ${path === '' ? 'At the top' : `\`${title}\``}`,
    '',
    list?.description ?? node.description ?? '',
    '',
    ...table,
    ...inner,
  ];
}

function row(key: string, node: SchemaNode, required: boolean): string {
  const byDefault = node.type === 'object' ? undefined : node.default;
  const shown = byDefault === undefined ? (required ? '**needed**' : '') : `\`${toToml(byDefault)}\``;
  return `| \`${key}\` | ${kind(node)} | ${shown} | ${node.description ?? ''} |`;
}

function kind(node: SchemaNode): string {
  switch (node.type) {
    case 'string':
      return node.enum === undefined
        ? (node.format ?? 'text')
        : node.enum.map((one) => `\`"${one}"\``).join(', ');
    case 'integer':
      return `${node.minimum} to ${node.maximum}`;
    case 'boolean':
      return '`true`, `false`';
    case 'array':
      return `list of ${kind(node.items)}`;
    case 'object':
      return 'table';
  }
}

function toToml(value: string | number | boolean | readonly (string | number)[]): string {
  return typeof value === 'object' ? `[${value.map(toToml).join(', ')}]` : JSON.stringify(value);
}
