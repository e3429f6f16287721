/** Versions of what is measured and of what it is measured against. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const ROOT = new URL('../../', import.meta.url)
const PACKAGES = ['@grpc/grpc-js', 'ioredis', '@duckdb/node-api', 'lmdb', 'lru-cache', 'fastify', 'undici']

/** By name. What is not there is left out. */
export function versions() {
  const found = [
    ['twinstore', twinstoreVersion()],
    ['node', process.versions.node],
    ['v8', process.versions.v8],
    ...PACKAGES.map((name) => [name, packageVersion(new URL(`node_modules/${name}/`, ROOT))]),
    ['redis-server', /v=(\S+)/.exec(outputOf('redis-server', '--version'))?.[1]],
  ]
  return Object.fromEntries(found.filter(([, version]) => version !== undefined))
}

/** With the commit, where there is one, and `+` if files were changed since. */
function twinstoreVersion() {
  const commit = outputOf('git', '-C', ROOT.pathname, 'describe', '--always', '--dirty=+').trim()
  return [packageVersion(ROOT), ...(commit === '' ? [] : [commit])].join(' ')
}

function packageVersion(folder) {
  try {
    return JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')).version
  } catch {
    return undefined
  }
}

function outputOf(command, ...args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return ''
  }
}
