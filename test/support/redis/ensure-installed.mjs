/**
 * The oldest redis-server that Twinstore runs on, how `npm test` comes by it where it is missing, and what to tell someone
 * who has to install it.
 */
import { spawnSync } from 'node:child_process'

const OLDEST = [6, 2]

export const HOW_TO_INSTALL =
  `redis-server ${OLDEST.join('.')} or newer must be on the PATH. Install it with\n` +
  '  apt-get install -y --no-install-recommends redis-server   (Debian, Ubuntu)\n' +
  '  brew install redis                                        (macOS)'

/** Why redis-server cannot be used here; undefined when it can. */
export function redisFault() {
  const { stdout, error } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' })
  if (error) return `redis-server cannot be run (${error.code}).\n${HOW_TO_INSTALL}`
  const version = /v=(\d+)\.(\d+)\.\d+/.exec(stdout)
  if (!version) return `redis-server --version gives no version: ${JSON.stringify(stdout)}.\n${HOW_TO_INSTALL}`
  const [major, minor] = [Number(version[1]), Number(version[2])]
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined
  return `redis-server here is ${version[0].slice(2)}.\n${HOW_TO_INSTALL}`
}

/** Installs redis-server where apt-get and the right to use it are there. Gives what is still wrong, as `redisFault`. */
export function ensureRedisInstalled() {
  const fault = redisFault()
  if (fault === undefined) return undefined
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  if (!succeeds([...asRoot, 'apt-get', '--version'], 'ignore')) return fault
  console.log('redis-server is missing: installing it with apt-get')
  const run = (...command) => succeeds([...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', ...command], 'inherit')
  run('apt-get', 'update', '-q')
  run('apt-get', 'install', '-y', '-q', '--no-install-recommends', 'redis-server')
  // The package starts a server of its own on port 6379; nothing here uses it.
  run('service', 'redis-server', 'stop')
  run('update-rc.d', 'redis-server', 'disable')
  // Only this decides: a package whose service could not be started has its program in place all the same.
  return redisFault()
}

function succeeds([command, ...args], stdio) {
  return spawnSync(command, args, { stdio }).status === 0
}
