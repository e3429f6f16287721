/** The dependency directions and bans of docs/ARCHITECTURE.md, held against the imports of every source file. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { expect, test } from 'vitest'

const SRC = new URL('../../src/', import.meta.url).pathname
const TESTS = new URL('../', import.meta.url).pathname

/** For each area, the areas it may import. An area is the longest listed prefix of a file's path. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  domain: ['lib'],
  config: ['lib', 'domain'],
  definitions: ['domain', 'lib', 'offline/objects/object-store.ts'],
  'offline/objects': ['domain', 'lib'],
  'offline/objects/cache': ['domain', 'lib', 'offline/objects'],
  'offline/objects/s3': ['domain', 'lib', 'offline/objects', 'offline/objects/cache'],
  'offline/delta': ['domain', 'lib', 'offline', 'offline/objects/object-store.ts'],
  'offline/parquet': ['domain', 'lib', 'offline'],
  'offline/duckdb': ['domain', 'lib', 'offline', 'offline/parquet', 'definitions'],
  'offline/store': [
    'domain',
    'lib',
    'offline',
    'offline/delta',
    'offline/objects/object-store.ts',
    'offline/objects/staging-sweep.ts',
    'online/online-store.ts',
  ],
  offline: ['domain', 'lib', 'online/online-store.ts'],
  'online/lmdb': ['domain', 'lib', 'online'],
  'online/redis/connect': ['domain', 'lib', 'online/redis/redis-link.ts', 'online/redis/encode-command.ts'],
  'online/redis': ['domain', 'lib', 'online'],
  workers: ['domain', 'lib', 'online/online-store.ts'],
  online: ['domain', 'lib'],
  serving: ['domain', 'lib', 'online/online-store.ts'],
  writing: ['domain', 'lib', 'online/online-store.ts', 'offline/offline-store.ts'],
  parity: ['domain', 'lib', 'online/online-store.ts', 'offline/offline-store.ts'],
  upkeep: ['domain', 'lib', 'online/online-store.ts', 'offline/offline-store.ts', 'writing'],
  statistics: ['domain', 'lib', 'offline/offline-store.ts', 'offline/objects/object-store.ts', 'writing'],
  observe: ['domain', 'lib'],
  http2: ['lib'],
  grpc: ['lib', 'http2'],
  'api/grpc': [
    'api',
    'http2',
    'grpc',
    'domain',
    'lib',
    'serving',
    'writing',
    'parity',
    'statistics',
    'offline/offline-store.ts',
    'definitions',
  ],
  'api/http': ['api', 'domain', 'lib', 'serving', 'writing', 'offline/offline-store.ts'],
  api: ['domain', 'lib', 'serving', 'writing', 'parity', 'statistics', 'offline/offline-store.ts', 'definitions'],
  client: ['domain', 'lib'],
  cli: ['client', 'config', 'definitions', 'domain', 'lib', 'workers', 'main.ts'],
}

/**
 * Vendor packages and the only areas that may import them. The composition root, `main.ts` with `compose/`, may import any area but no
 * vendor package; nobody imports `compose/` but `main.ts`.
 */
const VENDORS: Readonly<Record<string, readonly string[]>> = {
  '@aws-sdk/client-s3': ['offline/objects/s3'],
  '@duckdb/node-api': ['offline/duckdb'],
  'apache-arrow': ['offline/duckdb'],
  lmdb: ['online/lmdb'],
  ioredis: ['online/redis/connect'],
  'cluster-key-slot': ['online/redis/connect'],
  'lru-cache': ['serving', 'api/http'],
  fastify: ['api/http'],
  esbuild: ['definitions'],
  '@grpc/grpc-js': ['api/grpc', 'client'],
  '@grpc/proto-loader': ['api/grpc', 'client'],
  '@grpc/reflection': ['api/grpc'],
  'grpc-health-check': ['api/grpc'],
  commander: ['cli'],
  'cli-table3': ['cli'],
  'cli-progress': ['cli'],
  yaml: ['config'],
  pino: ['observe'],
  'prom-client': ['observe'],
}

/** What reads the world outside; only these areas may name it. A timeout of a socket is the socket's. */
const AMBIENT = /\b(process\.env|Date\.now|Math\.random|(?<!socket\?\.)setTimeout|setInterval)\b/
const AMBIENT_ALLOWED = ['lib', 'config', 'main.ts', 'compose']

interface Import {
  readonly file: string
  readonly target: string
}

function sourceFiles(): string[] {
  return readdirSync(SRC, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(SRC, join(entry.parentPath, entry.name)))
}

function isRoot(file: string): boolean {
  return file === 'main.ts' || file.startsWith('compose/')
}

function areaOf(file: string): string {
  if (file.startsWith('compose/')) return 'compose'
  const areas = Object.keys(MAY_IMPORT).filter((area) => file.startsWith(`${area}/`))
  return areas.sort((a, b) => b.length - a.length)[0] ?? file
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(SRC, file), 'utf8')
  return [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^'"\n;]*?(?:\{[^}]*\}[^'"\n;]*?)?from\s+'([^']+)'|import\('([^']+)'\)/g,
    ),
  ].map((match) => ({ file, target: match[1] ?? match[2]! }))
}

function resolved(found: Import): string {
  return normalize(join(dirname(found.file), found.target))
}

const files = sourceFiles()
const imports = files.flatMap(importsOf)

test('every source file belongs to an area', () => {
  expect(files.filter((file) => !(areaOf(file) in MAY_IMPORT) && !isRoot(file))).toEqual([])
})

test('imports follow the directions', () => {
  const broken = imports
    .filter((found) => found.target.startsWith('.') && !isRoot(found.file))
    .filter((found) => {
      const from = areaOf(found.file)
      const to = resolved(found)
      return areaOf(to) !== from && !MAY_IMPORT[from]!.some((allowed) => allowed === to || allowed === areaOf(to))
    })
    .map((found) => `${found.file} imports ${resolved(found)}`)
  expect(broken).toEqual([])
})

test('vendor packages stay inside their adapter', () => {
  const broken = imports
    .filter((found) => !found.target.startsWith('.') && !found.target.startsWith('node:'))
    .filter((found) => {
      const vendor = Object.keys(VENDORS).find((name) => found.target === name || found.target.startsWith(`${name}/`))
      return vendor === undefined || !VENDORS[vendor]!.includes(areaOf(found.file))
    })
    .map((found) => `${found.file} imports ${found.target}`)
  expect(broken).toEqual([])
})

test('only the shell names time, timers, randomness and the environment', () => {
  const broken = files
    .filter((file) => !AMBIENT_ALLOWED.includes(areaOf(file)))
    .filter((file) => AMBIENT.test(readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')))
  expect(broken).toEqual([])
})

test('tests of the gRPC edge have names by which they run over each transport', () => {
  const tests = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts'))
  const ofTheEdge = tests.filter((file) =>
    /import \{[^}]*\bstartEdge\b[^}]*\} from '[^']*grpc-fixture.ts'/.test(readFileSync(join(TESTS, file), 'utf8')),
  )
  expect(ofTheEdge.length).toBeGreaterThan(5)
  // `vitest.config.ts` goes by these names; what is of the lean transport alone says so.
  expect(ofTheEdge.filter((file) => !/^integration\/(grpc|lean)-/.test(file))).toEqual([])
})

test('no import cycles', () => {
  const graph = new Map<string, string[]>()
  for (const found of imports) {
    if (found.target.startsWith('.')) graph.set(found.file, [...(graph.get(found.file) ?? []), resolved(found)])
  }
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
      return
    }
    if (done.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  expect(cycles).toEqual([])
})
