/**
 * `npm test`: the static checks and every test, with one closing line that counts them all.
 *
 * Arguments go to vitest: `npm test -- test/unit`. The line is the last of the output, alone: `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureCurlInstalled } from './support/curl/ensure-installed.mjs'
import { ensureRedisInstalled } from './support/redis/ensure-installed.mjs'
import { ensureS3Installed } from './support/s3/ensure-installed.mjs'

const root = new URL('..', import.meta.url).pathname
const bin = (name) => join(root, 'node_modules', '.bin', name)

/** Static checks; each counts as one test. The build comes first because crash and end-to-end tests run what it makes. */
const CHECKS = [
  ['build', bin('tsc'), ['-p', 'tsconfig.build.json']],
  ['types', bin('tsc'), ['--noEmit']],
  ['format and lint', bin('biome'), ['check', '.']],
  ['proto lint', bin('buf'), ['lint', 'proto']],
]

const counts = { passed: 0, failed: 0, skipped: 0 }

function runCheck([name, command, args]) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  const ok = status === 0
  counts[ok ? 'passed' : 'failed']++
  console.log(`${ok ? 'ok' : 'FAILED'}  ${name}${error ? `: ${error.message}` : ''}`)
  return ok
}

function runVitest(args) {
  const dir = mkdtempSync(join(tmpdir(), 'twinstore-test-'))
  const report = join(dir, 'report.json')
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const { status, signal } = spawnSync(bin('vitest'), ['run', ...reporters, ...args], { cwd: root, stdio: 'inherit' })
    if (!existsSync(report)) {
      counts.failed++
      console.log(`FAILED  the tests ended before their report was written (${signal ?? `exit code ${status}`})`)
      return
    }
    const result = JSON.parse(readFileSync(report, 'utf8'))
    counts.passed += result.numPassedTests
    counts.failed += result.numFailedTests
    counts.skipped += result.numPendingTests + result.numTodoTests
    // A file that does not load has no failed test of its own; the run failed all the same.
    if (status !== 0 && result.numFailedTests === 0) counts.failed += Math.max(1, result.numFailedTestSuites)
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** Counts as a test only when it fails: without a server most tests would fail with this same message. */
function hasServer(name, ensureInstalled) {
  const fault = ensureInstalled()
  if (fault === undefined) return true
  counts.failed++
  console.log(`FAILED  ${name}\n${fault}`)
  return false
}

const built = CHECKS.map(runCheck)[0]
const hasServers = () =>
  hasServer('redis-server', ensureRedisInstalled) &&
  hasServer('S3 server', ensureS3Installed) &&
  hasServer('curl', ensureCurlInstalled)
if (built && hasServers()) runVitest(process.argv.slice(2))
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
console.log(`\n${counts.passed} passed, ${counts.failed} failed${skipped}`)
process.exitCode = counts.failed > 0 ? 1 : 0
