/**
 * docs/rfc.md: which section of which standard is cited where, in code and in tests. What counts is the one form
 * `RFC 9051 §6.3.12`; more sections of the same RFC may follow it, each with its own `§`.
 */
import { globSync, readFileSync } from 'node:fs';

export type Citation = { readonly rfc: number; readonly section: string; readonly path: string };

const CITATION = /RFC (\d{3,5})((?:(?:,| and| or| to)? §[A-Z]?\d*(?:\.\d+)*)*)/g;
/** How tables of tests write it: `rfc: '5321 §2.3.8'`. */
const TABLE_CITATION = /\brfc: ['"`](\d{3,5})((?:(?:,| and| or| to)? §[A-Z]?\d*(?:\.\d+)*)*)/g;

export function citationsOf(path: string, source: string): Citation[] {
  // A comment may break the line within a citation.
  const text = source.replace(/\n\s*(?:\*|\/\/) /g, ' ');
  return [...text.matchAll(CITATION), ...text.matchAll(TABLE_CITATION)].flatMap(([, rfc, rest = '']) => {
    const sections = [...rest.matchAll(/§([A-Z]?\d*(?:\.\d+)*)/g)].map(([, section = '']) => section);
    return (sections.length === 0 ? [''] : sections).map((section) => ({ rfc: Number(rfc), section, path }));
  });
}

const isTest = (path: string): boolean =>
  path.startsWith('test/') || /\.(test|contract|fuzz)\.ts$/.test(path);

function bySection(left: string, right: string): number {
  return left.localeCompare(right, 'en', { numeric: true });
}

function files(paths: readonly string[]): string {
  return [...new Set(paths)]
    .toSorted()
    .map((path) => `\`${path}\``)
    .join('<br>');
}

export function rfcDocument(): string {
  const titles = JSON.parse(readFileSync('tools/rfc-titles.json', 'utf8')) as Record<string, string>;
  const citations = globSync('{src,test}/**/*.ts')
    .toSorted()
    .flatMap((path) => citationsOf(path, readFileSync(path, 'utf8')));
  const lines = [
    '# Standards',
    '',
    'Made by `npm run docs` from the citations in the code. Each section that decides something here, and where.',
    '',
  ];
  const numbers = [...new Set(citations.map(({ rfc }) => rfc))].toSorted((left, right) => left - right);
  for (const number of numbers) {
    const title = titles[String(number)];
    if (title === undefined) throw new Error(`tools/rfc-titles.json has no title for RFC ${number}`);
    const cited = citations.filter(({ rfc }) => rfc === number);
    lines.push(`## RFC ${number}: ${title}`, '', '| Section | Code | Tests |', '|---|---|---|');
    for (const section of [...new Set(cited.map((citation) => citation.section))].toSorted(bySection)) {
      const paths = cited.filter((citation) => citation.section === section).map(({ path }) => path);
      const code = files(paths.filter((path) => !isTest(path)));
      lines.push(
        `| ${section === '' ? 'whole' : `§${section}`} | ${code} | ${files(paths.filter(isTest))} |`,
      );
    }
    lines.push('');
  }
  return lines.join('\n');
}
