/** Outbox rows, written as Parquet files of the view's table. */
import { mkdir } from 'node:fs/promises'
import type { AppendJob } from '../table-jobs.ts'
import { withDecodedRows } from './decoded-rows.ts'
import type { JobContext } from './job.ts'
import type { Session } from './session.ts'
import { viewLayout, writeFiles } from './table-writer.ts'

export async function runAppend(
  session: Session,
  input: AppendJob['input'],
  context: JobContext,
): Promise<AppendJob['output']> {
  return withDecodedRows(input, context.signal, async ({ rows, sql, constants }) => {
    if (rows === 0) return { files: [] }
    context.progress('writing', 0.5)
    await mkdir(input.outputDir, { recursive: true })
    return { files: await writeFiles(session, { ...viewLayout(input.view), constants }, `(${sql})`, input.outputDir) }
  })
}
