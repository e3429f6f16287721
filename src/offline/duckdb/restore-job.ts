/** Rows that a table lost, written as Parquet files; those that it has after all are left out. */
import { mkdir } from 'node:fs/promises'
import type { RestoreJob } from '../table-jobs.ts'
import { withDecodedRows } from './decoded-rows.ts'
import type { JobContext } from './job.ts'
import type { Session } from './session.ts'
import { identifier } from './sql.ts'
import { tableSql } from './table-sql.ts'
import { viewLayout, writeFiles } from './table-writer.ts'

export async function runRestore(
  session: Session,
  input: RestoreJob['input'],
  context: JobContext,
): Promise<RestoreJob['output']> {
  const { view, existing, outputDir } = input
  const version = [...view.joinKeys.map((key) => identifier(key.name)), 'event_timestamp', 'write_position']
  const table = tableSql({ view, files: existing })
  await withDecodedRows(input, context.signal, async ({ sql }) => {
    context.progress('comparing with the table', 0.3)
    await session.run(
      `CREATE TEMP TABLE lost AS SELECT * FROM (${sql}) ANTI JOIN (${table}) AS history USING (${version.join(', ')})`,
    )
  })
  const [counted] = await session.rows('SELECT count(*) AS row_count FROM lost')
  if (counted!['row_count'] === 0n) return { files: [] }
  context.progress('writing', 0.7)
  await mkdir(outputDir, { recursive: true })
  return { files: await writeFiles(session, viewLayout(view), 'lost', outputDir) }
}
