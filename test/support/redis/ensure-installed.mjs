/** The oldest redis-server that Twinstore runs on, and what to tell someone who does not have it. */
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
