/**
 * What a scenario starts and must not leave behind: processes and temporary folders.
 *
 * Closed in reverse when the scenario ends, however it ends; and by force when this process does, so that an interrupted
 * benchmark leaves neither servers nor gigabytes.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const forced = new Set()
process.once('exit', () => {
  for (const end of forced) end()
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

/** Runs `work` with a function that takes what is to be closed afterwards. */
export async function withResources(work) {
  const closers = []
  try {
    return await work((close) => closers.push(close))
  } finally {
    for (const close of closers.reverse()) await close()
  }
}

/** Calls `end` if the process exits before the returned function is called. */
export function onForcedEnd(end) {
  forced.add(end)
  return () => forced.delete(end)
}

/** A folder that is removed with the scenario's resources. */
export function temporaryFolder(defer) {
  const folder = mkdtempSync(join(tmpdir(), 'twinstore-bench-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  const forget = onForcedEnd(remove)
  defer(() => {
    forget()
    remove()
  })
  return folder
}
