/** The programs that commands of the documentation call, and how `npm test` comes by them where they are missing. */
import { spawnSync } from 'node:child_process'

const PROGRAMS = ['curl', 'openssl']

export const HOW_TO_INSTALL =
  `${PROGRAMS.join(' and ')} must be on the PATH: docs/http.md is tried with them. Install them with\n` +
  `  apt-get install -y --no-install-recommends ${PROGRAMS.join(' ')}   (Debian, Ubuntu)`

/** Why they cannot be used here; undefined when they can. */
export function curlFault() {
  const missing = PROGRAMS.filter((program) => spawnSync(program, ['version'], { stdio: 'ignore' }).error)
  return missing.length === 0 ? undefined : `${missing.join(', ')} cannot be run.\n${HOW_TO_INSTALL}`
}

/** Installs them where apt-get and the right to use it are there. Gives what is still wrong, as `curlFault`. */
export function ensureCurlInstalled() {
  const fault = curlFault()
  if (fault === undefined) return undefined
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  console.log(`${PROGRAMS.join(' or ')} is missing: installing both with apt-get`)
  const run = (...command) => spawnSync(command[0], command.slice(1), { stdio: 'inherit' })
  run(...asRoot, 'apt-get', 'update', '-q')
  run(...asRoot, 'apt-get', 'install', '-y', '-q', '--no-install-recommends', ...PROGRAMS, 'ca-certificates')
  return curlFault()
}
