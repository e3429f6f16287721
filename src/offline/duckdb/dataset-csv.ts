/**
 * Data sets as CSV (RFC 4180, UTF-8, header line): timestamps as ISO 8601 in UTC with microseconds, dates as
 * YYYY-MM-DD, lists as JSON, bytes in base64, null as an empty field (an empty string is `""`).
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { digestFile } from './dataset-file.ts'
import { type DatasetTarget, type DatasetWriter, datasetColumns } from './dataset-output.ts'
import { type QueryColumn, selectSql } from './dataset-query.ts'
import { itemType } from './portable-columns.ts'
import type { Session } from './session.ts'
import { literal } from './sql.ts'

const ISO_FORMAT = '%Y-%m-%dT%H:%M:%S.%fZ'

export async function openCsvWriter(session: Session, target: DatasetTarget): Promise<DatasetWriter> {
  const partFile = `${target.outputFile}.part`
  let written = 0
  let rows = 0
  return {
    async write(query) {
      const first = written++ === 0
      const path = first ? target.outputFile : partFile
      const select = selectSql(query, query.columns.map(csvColumn))
      const [copied] = await session.rows(`COPY (${select}) TO ${literal(path)} (FORMAT csv, HEADER ${first})`)
      rows += Number(copied!['Count'])
      if (first) return
      await pipeline(createReadStream(partFile), createWriteStream(target.outputFile, { flags: 'a' }))
      await rm(partFile)
    },
    async finish() {
      const digest = await digestFile(target.outputFile)
      return { path: target.outputFile, rows, columns: datasetColumns(target.columns), ...digest }
    },
    async discard() {
      await rm(partFile, { force: true })
      await rm(target.outputFile, { force: true })
    },
  }
}

function csvColumn(column: QueryColumn): QueryColumn {
  return { ...column, sql: csvSql(column.type, column.sql) }
}

function csvSql(type: string, sql: string): string {
  const item = itemType(type)
  if (item !== undefined) return `CAST(to_json(${csvListSql(item, sql)}) AS VARCHAR)`
  if (type === 'TIMESTAMP WITH TIME ZONE') return `strftime(${sql} AT TIME ZONE 'UTC', '${ISO_FORMAT}')`
  if (type.startsWith('TIMESTAMP')) return `strftime(CAST(${sql} AS TIMESTAMP), '${ISO_FORMAT}')`
  return type === 'BLOB' ? `to_base64(${sql})` : sql
}

/** A list of JSON values; a list within a list is JSON's own affair. */
function csvListSql(item: string, sql: string): string {
  const itemSql = itemType(item) === undefined ? csvSql(item, 'item') : 'item'
  return itemSql === 'item' ? sql : `list_transform(${sql}, lambda item: ${itemSql})`
}
