/**
 * Data sets as Parquet, zstd.
 *
 * Several parts are written as files of their own, whose row groups are then copied into one file while it is hashed. Nothing
 * is decoded or compressed a second time: that copy by DuckDB took 1.4 s of processor time for 3 M rows x 22 columns, and
 * the parts as many bytes again. A part is the result of an ordered query, so that its bytes depend on no thread's
 * timing; an unsorted query with joins copied straight into the file gave other bytes at every run.
 *
 * No bloom filters: a data set is read whole, and they would lie behind each part's last row group, so that the bytes depended on
 * the size of the parts.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createParquetJoiner } from '../parquet/parquet-joiner.ts'
import { createDigestedFile, digestFile } from './dataset-file.ts'
import { type DatasetTarget, type DatasetWriter, datasetColumns } from './dataset-output.ts'
import { type DatasetQuery, selectSql } from './dataset-query.ts'
import type { Session } from './session.ts'
import { literal } from './sql.ts'

/** DuckDB's own row group. */
export const ROW_GROUP_ROWS = 122_880

function copySql(query: DatasetQuery, path: string, { rowGroupRows = ROW_GROUP_ROWS }: DatasetTarget): string {
  const options = `FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${rowGroupRows}, WRITE_BLOOM_FILTER false`
  return `COPY (${selectSql(query)}) TO ${literal(path)} (${options})`
}

export async function openParquetWriter(session: Session, target: DatasetTarget): Promise<DatasetWriter> {
  return target.parts === 1 ? singlePart(session, target) : severalParts(session, target)
}

function singlePart(session: Session, target: DatasetTarget): DatasetWriter {
  const output = literal(target.outputFile)
  return {
    write: (query) => session.run(copySql(query, target.outputFile, target)),
    async finish() {
      const [counted] = await session.rows(`SELECT num_rows FROM parquet_file_metadata(${output})`)
      return {
        path: target.outputFile,
        rows: Number(counted!['num_rows']),
        columns: datasetColumns(target.columns),
        ...(await digestFile(target.outputFile)),
      }
    },
    discard: () => rm(target.outputFile, { force: true }),
  }
}

/** A part is taken over while the next one is computed. At most one waits, so that the disk holds little more than the result. */
async function severalParts(session: Session, target: DatasetTarget): Promise<DatasetWriter> {
  const partsDir = `${target.outputFile}.parts`
  await mkdir(partsDir, { recursive: true })
  const file = await createDigestedFile(target.outputFile)
  const joiner = createParquetJoiner((bytes) => file.write(bytes))
  let written = 0
  let taken: Promise<void> = Promise.resolve()

  const take = async (path: string) => {
    await joiner.add(path)
    await rm(path)
  }

  return {
    async write(query) {
      const path = join(partsDir, `${written++}.parquet`)
      await session.run(copySql(query, path, target))
      await taken
      taken = take(path)
      // Whether it failed is asked at the next part, or at the end.
      taken.catch(() => undefined)
    },
    async finish() {
      await taken
      const { rows } = await joiner.finish()
      await rm(partsDir, { recursive: true, force: true })
      return { path: target.outputFile, rows, columns: datasetColumns(target.columns), ...(await file.close()) }
    },
    async discard() {
      await taken.catch(() => undefined)
      await file.close().catch(() => undefined)
      await rm(partsDir, { recursive: true, force: true })
      await rm(target.outputFile, { force: true })
    },
  }
}
