/**
 * Mail as a mailbox of years holds it, for searching and sorting: words of a language (few said often, many seldom), two hundred
 * people, two in five messages a reply in some thread, dates that ascend. The same on every machine.
 */
import { createSeeded } from '../message/corpus.ts';

const SYLLABLES =
  'ba con der el fi gra hal in jo ka lim mo net or pra qui ro ser ta un ver wa xi yo zen'.split(' ');
const DOMAINS = ['example.com', 'example.org', 'example.net', 'mail.example.com'];
const NAMES = [
  'Ada Lind',
  'Bela Nagy',
  'Dmitri Orlov',
  'Femi Ade',
  'Gina Rossi',
  'Hiro Sato',
  'Jan Kowal',
  'Lea Weber',
];
const FIRST_MS = Date.UTC(2024, 0, 1);
const STEP_MS = 1_800_000;
const THREADS_OPEN = 300;

type Posted = { readonly id: string; readonly subject: string; readonly references: readonly string[] };

/** Gives one message after the other. @param octets of each, about */
export function* variedMail(octets: number): Generator<string, never, void> {
  const next = createSeeded(1);
  const pick = <Item>(items: readonly Item[], fallback: Item): Item => items[next(items.length)] ?? fallback;
  const words = Array.from({ length: 4000 }, () =>
    Array.from({ length: 1 + next(4) }, () => pick(SYLLABLES, '')).join(''),
  );
  const word = (): string => words[Math.floor(4000 * (next(1_000_000) / 1_000_000) ** 2.5)] ?? '';
  const people = Array.from({ length: 200 }, (_, number) => {
    const name = pick(NAMES, '');
    return `"${name}" <${(name.split(' ')[0] ?? '').toLowerCase()}${number}@${pick(DOMAINS, '')}>`;
  });
  const open: Posted[] = [];
  for (let number = 1; ; number += 1) {
    const id = `<${number}.${next(9_000_000)}@${pick(DOMAINS, '')}>`;
    const parent = next(10) < 4 ? open[next(Math.max(1, open.length))] : undefined;
    const subject =
      parent === undefined
        ? Array.from({ length: 2 + next(7) }, word).join(' ')
        : `Re: ${parent.subject.replace(/^Re: /, '')}`;
    const references = parent === undefined ? [] : [...parent.references, parent.id].slice(-8);
    open.push({ id, subject, references });
    if (open.length > THREADS_OPEN) open.shift();
    const lines = [
      `Date: ${new Date(FIRST_MS + number * STEP_MS + next(STEP_MS)).toUTCString().replace('GMT', '+0000')}`,
      `From: ${pick(people, '')}`,
      `To: ${Array.from({ length: 1 + next(3) }, () => pick(people, '')).join(',\r\n ')}`,
      `Subject: ${subject}`,
      `Message-ID: ${id}`,
      ...(parent === undefined
        ? []
        : [`In-Reply-To: ${parent.id}`, `References: ${references.join('\r\n ')}`]),
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=utf-8',
      '',
    ];
    for (let left = octets - 600; left > 0;) {
      const line = Array.from({ length: 12 }, word).join(' ');
      lines.push(line);
      left -= line.length + 2;
    }
    yield `${lines.join('\r\n')}\r\n`;
  }
}
