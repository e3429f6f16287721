/**
 * The S3 server of the tests is Ceph's: real, small, and in Debian's packages. How `npm test` comes by it where it is missing, and
 * what to tell someone who has to install it.
 *
 * Rejected: s3rver (ignores `If-None-Match` and damages streamed uploads), containers (not everywhere, and never offline).
 */
import { spawnSync } from 'node:child_process'

const PACKAGES = ['radosgw', 'ceph-mon', 'ceph-osd']
const PROGRAMS = ['radosgw', 'ceph-mon', 'ceph-osd', 'ceph', 'ceph-authtool', 'monmaptool', 'radosgw-admin']

export const HOW_TO_INSTALL =
  `${PROGRAMS.join(', ')} must be on the PATH: they are the S3 server of the tests. Install them with\n` +
  `  apt-get install -y --no-install-recommends ${PACKAGES.join(' ')}   (Debian, Ubuntu)`

/** Why the S3 server cannot be used here; undefined when it can. */
export function s3Fault() {
  const missing = PROGRAMS.filter((program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).error)
  return missing.length === 0 ? undefined : `${missing.join(', ')} cannot be run.\n${HOW_TO_INSTALL}`
}

/** Installs the server where apt-get and the right to use it are there. Gives what is still wrong, as `s3Fault`. */
export function ensureS3Installed() {
  const fault = s3Fault()
  if (fault === undefined) return undefined
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  if (!succeeds([...asRoot, 'apt-get', '--version'], 'ignore')) return fault
  console.log('the S3 server of the tests is missing: installing it with apt-get')
  const run = (...command) => succeeds([...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', ...command], 'inherit')
  run('apt-get', 'update', '-q')
  // Its services have nothing to serve without a cluster's configuration, and do not start.
  run('apt-get', 'install', '-y', '-q', '--no-install-recommends', ...PACKAGES)
  return s3Fault()
}

function succeeds([command, ...args], stdio) {
  return spawnSync(command, args, { stdio }).status === 0
}
