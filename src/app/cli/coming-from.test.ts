/** docs/coming-from.md says what other servers' settings and commands are here: every key, command and example is held to it. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseConfig } from '../../config/config.ts';
import type { SchemaNode } from '../../config/schema-node.ts';
import { SCHEMA } from '../../config/schema.ts';
import type { ExitCode } from './exit-code.ts';
import { runCommandLine } from './program.ts';

const PAGE = await readFile(fileURLToPath(new URL('../../../docs/coming-from.md', import.meta.url)), 'utf8');

/** What stands in the last column of a table, in code. */
const HERE: readonly string[] = PAGE.split('\n')
  .filter((line) => line.startsWith('| '))
  .flatMap((line) => {
    const cell = line.replace(/ *\|$/, '').replaceAll('\\|', '').split('|').at(-1) ?? '';
    return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
  });

async function help(words: readonly string[]): Promise<string> {
  let said = '';
  const tell = (text: string): void => void (said += text);
  const input = new PassThrough() as unknown as NodeJS.ReadStream;
  const terminal = { out: tell, error: tell, input, exitCode: 0 as ExitCode };
  await runCommandLine([...words, '--help'], terminal);
  assert.equal(terminal.exitCode, 0, said);
  return said;
}

const commands = [...new Set(HERE.filter((code) => code.startsWith('postrider ')))];
test('there are commands on the page', () => assert.ok(commands.length > 25));
for (const command of commands)
  test(`${command} is a command`, async () => {
    const words = command.split(' ').slice(1);
    const isVerb = (word: string): boolean => /^[a-z][a-z-]*$/.test(word);
    const end = words.findIndex((word) => !isVerb(word));
    const own = end === -1 ? words : words.slice(0, end);
    const shown = await help(own);
    assert.match(shown, new RegExp(`^Usage: postrider ${own.join(' ')}\\b`));
    for (const option of words.filter((word) => word.startsWith('--')))
      assert.match(shown, new RegExp(`^  ${option}\\b`, 'm'));
  });

function nodeAt(path: readonly string[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = SCHEMA;
  for (const name of path) {
    const table: SchemaNode | undefined = node?.type === 'array' ? node.items : node;
    node = table?.type === 'object' ? table.properties[name] : undefined;
  }
  return node;
}

const keys = [...new Set(HERE.filter((code) => /^\[*[a-z]+[A-Za-z]*(?:\.[a-z][A-Za-z]*)*\]*$/.test(code)))]
  .filter((code) => code.includes('.') || code.startsWith('['))
  .filter((code) => !code.endsWith('.md'));
test('there are keys on the page', () => assert.ok(keys.length > 40));
for (const key of keys)
  test(`${key} is a key of the configuration`, () => {
    const node = nodeAt(key.replaceAll(/[[\]]/g, '').split('.'));
    assert.ok(node !== undefined);
    if (key.startsWith('[')) assert.equal(node.type, key.startsWith('[[') ? 'array' : 'object');
  });

test('the examples are valid configurations', () => {
  const examples = [...PAGE.matchAll(/^```toml\n([^]*?)^```$/gm)].map(([, text = '']) => text);
  assert.ok(examples.length > 0);
  for (const text of examples) {
    const config = parseConfig(text);
    assert.ok(config.ok, JSON.stringify(config));
  }
});
