/** The dependency rule of docs/architecture.md, held by a machine. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';

/** What a folder may import, besides itself. '/types' and the like: that file of it alone. */
const RULE: Record<string, readonly string[]> = {
  base: [],
  wire: ['base'],
  link: ['base', 'wire', 'trace/events'],
  internet: ['base', 'wire', 'link/types', 'trace/events'],
  transport: ['base', 'wire', 'internet/types', 'trace/events'],
  // Sockets are the face of the transports below them: they name our stack's classes, by type alone.
  socket: ['base', 'wire', 'transport', 'trace/events'],
  application: ['base', 'wire', 'socket/types', 'socket/errors', 'trace/events'],
  trace: ['base', 'wire'],
  host: ['base', 'wire', 'link', 'internet', 'transport', 'socket', 'trace'],
  // System calls of a host, as a process would make them.
  posix: ['base', 'wire', 'transport', 'host', 'trace/events'],
  packetdrill: ['base', 'wire', 'link/types', 'transport', 'posix', 'host', 'sim'],
  sim: ['base', 'wire', 'link', 'internet', 'transport', 'socket', 'application', 'host', 'trace'],
  node: ['base', 'wire', 'link', 'socket/types', 'socket/errors', 'application', 'trace'],
  cli: [
    'base',
    'wire',
    'link',
    'internet',
    'transport',
    'socket',
    'application',
    'host',
    'trace',
    'sim',
    'node',
    'packetdrill',
  ],
};
/** The only folders that may import `node:` modules: everything else runs in a browser. */
const NODE_ONLY = ['node', 'cli'];
/** The outside world's time and dice. */
const CLOCKS = /\b(Date\.now|performance\.now|Math\.random|setTimeout|setInterval|new Date\(\))/;

interface Source {
  path: string;
  folder: string;
  text: string;
  imports: { specifier: string; typesOnly: boolean }[];
}

const sources: Source[] = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .map(name => {
    const text = readFileSync(join('src', name), 'utf8');
    const imports = [...text.matchAll(/^(?:import|export)\s+(type\s+)?[^;]*?from '([^']+)'/gm)].map(m => ({
      specifier: m[2],
      typesOnly: m[1] !== undefined,
    }));
    return { path: name, folder: name.includes('/') ? name.split('/')[0] : '.', text, imports };
  });

const target = (source: Source, specifier: string): string =>
  relative('.', join(dirname(source.path), specifier)).replace(/\.ts$/, '');

test('downward only, through what a layer offers', () => {
  for (const source of sources.filter(s => s.folder !== '.')) {
    for (const { specifier } of source.imports.filter(i => i.specifier.startsWith('.'))) {
      const wanted = target(source, specifier);
      const folder = wanted.split('/')[0];
      const allowed =
        folder === source.folder ||
        RULE[source.folder].some(rule => (rule.includes('/') ? wanted === rule : folder === rule));
      assert.ok(allowed, `src/${source.path} imports ${wanted}`);
    }
  }
});

test('trace/events is types only, so that any layer may name it', () => {
  const events = sources.find(s => s.path === 'trace/events.ts');
  assert.ok(events?.imports.every(i => i.typesOnly));
  assert.doesNotMatch(events?.text ?? '', /^(?:export )?(?:const|let|function|class|enum) /m);
});

test('node: modules and native code in named places alone', () => {
  for (const source of sources.filter(s => !NODE_ONLY.includes(s.folder))) {
    for (const { specifier } of source.imports) {
      assert.ok(!specifier.startsWith('node:') && specifier !== 'koffi', `src/${source.path} imports ${specifier}`);
    }
    assert.doesNotMatch(source.text, /\b(process|Buffer|require)\b[.(]/, `src/${source.path} uses what only Node has`);
  }
});

test('time and chance come from the simulation', () => {
  for (const source of sources.filter(s => !NODE_ONLY.includes(s.folder))) {
    assert.doesNotMatch(source.text, CLOCKS, `src/${source.path}`);
  }
});

test('no state at module level', () => {
  for (const source of sources) assert.doesNotMatch(source.text, /^(?:export )?let /m, `src/${source.path}`);
});

/** Fields are set by constructors (tsconfig's useDefineForClassFields): one that is set later gives its object a new shape. */
test('a field that may be undefined at first says so', () => {
  for (const { path, text } of sources) {
    for (const [body, name] of text.matchAll(/^(?:export )?(?:abstract )?class (\w+)[\s\S]*?^}/gm)) {
      const made = /^ {2}(?:(?:private|protected) )?constructor\([\s\S]*?^ {2}}/m.exec(body)?.[0] ?? '';
      for (const [line, field] of body.matchAll(/^ {2}(?:(?:private|protected|readonly|override) )*(\w+): .*;$/gm)) {
        if (line.includes(' = ') || made.includes(`    this.${field} = `)) continue;
        assert.fail(`src/${path}: ${name}.${field} has no value to begin with`);
      }
    }
  }
});

test('no circles between files', () => {
  const graph = new Map(
    sources.map(s => [
      s.path.replace(/\.ts$/, ''),
      s.imports.filter(i => !i.typesOnly && i.specifier.startsWith('.')).map(i => target(s, i.specifier)),
    ]),
  );
  const done = new Set<string>();
  const visit = (file: string, path: string[]): void => {
    assert.ok(!path.includes(file), `circle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
});

test('files stay of a size that a person reads', () => {
  for (const source of sources)
    assert.ok(source.text.split('\n').length <= 500, `src/${source.path} has over 500 lines: is it still one idea?`);
});

test('nothing in the project names its machine', () => {
  for (const source of sources) assert.doesNotMatch(source.text, /\/(?:work|root|home)\//, `src/${source.path}`);
});
