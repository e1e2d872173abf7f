/**
 * The dependency rule of this codebase, as data. `node tools/layers.ts` fails on any import that breaks it, on a
 * cycle, and on a folder whose name says nothing.
 *
 * A file may import what its ring names, and nothing else; type imports count. The three groups of ring 3
 * (sessions, services, adapters) never import each other, and no subject's server imports another's.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

type Rule = {
  readonly ring: string;
  readonly path: RegExp;
  readonly mayImport: readonly string[];
  /** The `node:` modules the ring may use; `*` means any. */
  readonly node: readonly string[];
  /** The npm packages it may use. */
  readonly npm: readonly string[];
  /** Set for rings whose subjects are strangers to each other: `src/imap/server` and `src/smtp/server`. */
  readonly apart?: true;
};

const PURE = ['base', 'ids', 'pure'];
const PORTS = [...PURE, 'port'];

/** First match wins. */
const RULES: readonly Rule[] = [
  { ring: 'test', path: /\.(test|contract|fuzz)\.ts$/, mayImport: ['*'], node: ['*'], npm: ['*'] },
  { ring: 'test', path: /^(test|bench)\//, mayImport: ['*'], node: ['*'], npm: ['*'] },
  { ring: 'tool', path: /^tools\//, mayImport: ['*'], node: ['*'], npm: [] },

  { ring: 'base', path: /^src\/base\//, mayImport: ['base'], node: ['buffer', 'crypto'], npm: [] },
  { ring: 'ids', path: /^src\/store\/ids\.ts$/, mayImport: ['base'], node: ['buffer'], npm: [] },

  // The codec of DNS messages is a library's; everything else on a wire is ours.
  { ring: 'pure', path: /^src\/dns\/wire\//, mayImport: PURE, node: ['buffer'], npm: ['dns-packet'] },
  { ring: 'pure', path: /^src\/[^/]+\/wire\//, mayImport: PURE, node: ['buffer'], npm: [] },
  { ring: 'pure', path: /^src\/message\//, mayImport: PURE, node: ['buffer'], npm: ['iconv-lite'] },
  {
    ring: 'pure',
    path: /^src\/search\/language\//,
    mayImport: PURE,
    node: ['buffer'],
    npm: ['snowball-stemmers'],
  },
  { ring: 'pure', path: /^src\/(mail-auth|sasl)\//, mayImport: PURE, node: ['buffer', 'crypto'], npm: [] },
  { ring: 'pure', path: /^src\/(sieve|ical|vcard)\//, mayImport: PURE, node: ['buffer'], npm: [] },
  // Addresses that carry another and the proof that we made them.
  {
    ring: 'pure',
    path: /^src\/delivery\/return-path\//,
    mayImport: PURE,
    node: ['buffer', 'crypto'],
    npm: [],
  },

  // Files that are no database's.
  { ring: 'adapter', path: /^src\/disk\//, mayImport: [...PORTS, 'adapter'], node: ['*'], npm: [] },
  // Statements, migrations and group commit over SQLite, for every subject that keeps a file.
  { ring: 'adapter', path: /^src\/sqlite\//, mayImport: [...PORTS, 'adapter'], node: ['*'], npm: [] },
  // Connections, transactions and migrations over PostgreSQL, for the same subjects.
  {
    ring: 'adapter',
    path: /^src\/(postgres|(store|queue|auth|trace)\/postgres)\//,
    mayImport: [...PORTS, 'adapter'],
    node: ['*'],
    npm: ['pg'],
  },
  {
    ring: 'adapter',
    path: /^src\/store\/s3\//,
    mayImport: [...PORTS, 'adapter'],
    node: ['*'],
    npm: ['aws4fetch'],
  },
  {
    ring: 'adapter',
    path: /^src\/(store|queue|auth|tls-policy|trace|sendmail|search)\/[^/]+\//,
    mayImport: [...PORTS, 'adapter'],
    node: ['*'],
    npm: [],
  },
  {
    ring: 'adapter',
    path: /^src\/dns\/[^/]+\//,
    mayImport: [...PORTS, 'adapter'],
    node: ['*'],
    npm: ['dns-packet'],
  },
  {
    ring: 'adapter',
    path: /^src\/net\//,
    mayImport: [...PORTS, 'adapter'],
    node: ['*'],
    npm: ['@peculiar/x509', 'reflect-metadata'],
  },
  { ring: 'adapter', path: /^src\/observe\//, mayImport: [...PORTS, 'adapter'], node: ['*'], npm: ['pino'] },

  {
    ring: 'port',
    path: /^src\/(store|queue|auth|dns|policy|tls-policy|trace|sendmail|search)\/[^/]+\.ts$/,
    mayImport: PORTS,
    node: ['buffer'],
    npm: [],
  },

  {
    ring: 'session',
    path: /^src\/[^/]+\/server\//,
    mayImport: [...PORTS, 'session'],
    node: ['buffer', 'stream/web'],
    npm: [],
    apart: true,
  },
  {
    ring: 'client',
    path: /^src\/[^/]+\/client\//,
    mayImport: [...PORTS, 'client'],
    node: ['buffer', 'stream/web'],
    npm: [],
    apart: true,
  },
  {
    ring: 'session',
    path: /^src\/http\//,
    mayImport: [...PORTS, 'session'],
    node: ['buffer', 'stream/web'],
    npm: [],
  },
  {
    ring: 'service',
    path: /^src\/(delivery|policy|cluster)\//,
    mayImport: [...PORTS, 'client', 'service'],
    node: ['buffer'],
    npm: [],
  },

  {
    ring: 'config',
    path: /^src\/config\//,
    mayImport: ['base', 'config'],
    node: ['buffer', 'net'],
    npm: ['smol-toml', 'typebox'],
  },
  { ring: 'app', path: /^src\/app\//, mayImport: ['*'], node: ['*'], npm: ['commander', '@peculiar/x509'] },
];

/** Names that say nothing of what is inside. */
const EMPTY_NAMES = new Set(['common', 'utils', 'util', 'helpers', 'shared', 'misc', 'lib']);

const IMPORT =
  /^(?:import|export)\b[^'"`;]*?\bfrom\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;

export type Import = { readonly from: string; readonly specifier: string };

export function importsOf(path: string, source: string): Import[] {
  return [...source.matchAll(IMPORT)].map(([, from, bare, dynamic]) => ({
    from: path,
    specifier: from ?? bare ?? dynamic ?? '',
  }));
}

function ruleFor(path: string): Rule | undefined {
  return RULES.find((rule) => rule.path.test(path));
}

function subject(path: string): string | undefined {
  return path.split('/')[1];
}

/** `@scope/name/file` and `name/file` are of the packages `@scope/name` and `name`. */
function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function allows(list: readonly string[], name: string): boolean {
  return list.includes('*') || list.includes(name);
}

/** What an import breaks, or undefined. */
export function layerProblem({ from, specifier }: Import): string | undefined {
  const rule = ruleFor(from);
  if (rule === undefined) return 'no ring covers this file';
  if (specifier.startsWith('node:')) {
    return allows(rule.node, specifier.slice('node:'.length))
      ? undefined
      : `ring ${rule.ring} may not use ${specifier}`;
  }
  if (!specifier.startsWith('.')) {
    const name = packageName(specifier);
    return allows(rule.npm, name) ? undefined : `ring ${rule.ring} may not use the package ${name}`;
  }
  const to = normalize(join(dirname(from), specifier));
  const target = ruleFor(to);
  if (target === undefined) return to.endsWith('.json') ? undefined : `no ring covers ${to}`;
  if (target.ring === 'test' && rule.ring !== 'test') return `only tests may import ${to}`;
  if (!allows(rule.mayImport, target.ring))
    return `ring ${rule.ring} may not import ${to} (ring ${target.ring})`;
  if (rule.apart === true && target.apart === true && subject(from) !== subject(to))
    return `one ${rule.ring} may not import another: ${to}`;
  return undefined;
}

/** The first import cycle found, as the files on it in order; the last imports the first. */
export function findCycle(graph: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): readonly string[] | undefined => {
    if (done.has(path)) return undefined;
    const at = trail.indexOf(path);
    if (at !== -1) return trail.slice(at);
    trail.push(path);
    for (const to of graph.get(path) ?? []) {
      const cycle = visit(to);
      if (cycle !== undefined) return cycle;
    }
    trail.pop();
    done.add(path);
    return undefined;
  };
  for (const path of graph.keys()) {
    const cycle = visit(path);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

function folderProblems(paths: readonly string[]): string[] {
  const folders = new Set(paths.flatMap((path) => path.split('/').slice(0, -1)));
  return [...folders]
    .filter((name) => EMPTY_NAMES.has(name))
    .map((name) => `a folder may not be called ${name}`);
}

function main(): void {
  const paths = globSync('{src,test,tools,bench}/**/*.ts').toSorted();
  const problems = folderProblems(paths);
  const graph = new Map<string, readonly string[]>();
  for (const path of paths) {
    const imports = importsOf(path, readFileSync(path, 'utf8'));
    for (const one of imports) {
      const problem = layerProblem(one);
      if (problem !== undefined) problems.push(`${path}: ${problem}`);
    }
    graph.set(
      path,
      imports
        .filter(({ specifier }) => specifier.startsWith('.'))
        .map(({ specifier }) => normalize(join(dirname(path), specifier))),
    );
  }
  const cycle = findCycle(graph);
  if (cycle !== undefined) problems.push(`import cycle: ${[...cycle, cycle[0]].join(' -> ')}`);
  for (const problem of problems) console.error(problem);
  console.log(`${paths.length} files, ${problems.length} layer problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

if (import.meta.main) main();
