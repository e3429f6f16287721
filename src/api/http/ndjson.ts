/** Rows of a data set as lines of JSON, one object a row. */
import { WireReader } from '../../lib/wire.ts'
import type { DatasetColumn } from '../../offline/offline-store.ts'
import { timestampText } from './timestamp-text.ts'
import { valueJson } from './value-json.ts'

/** Columns of every table, which no feature can be called; in rows they are int64 values, of microseconds. */
const TIMES = new Set(['event_timestamp', 'created_timestamp'])
const INT64_FIELD = 4

/** Makes lines of a serialized `DatasetRows` message. */
export function rowLines(columns: readonly DatasetColumn[]): (rows: Buffer) => string {
  const names = columns.map(({ name }, index) => `${index === 0 ? '' : ','}${JSON.stringify(name)}:`)
  const isTime = columns.map(({ name }) => TIMES.has(name))
  return (rows) => {
    let lines = ''
    const reader = new WireReader(rows)
    while (reader.next()) {
      const rowEnd = reader.readLength() + reader.position
      const row = new WireReader(rows, reader.position, rowEnd)
      const value = new WireReader(rows)
      lines += '{'
      for (let column = 0; row.next(); column++) {
        value.end = row.readLength() + row.position
        value.position = row.position
        lines += names[column]! + (isTime[column] ? timeJson(value) : valueJson(value))
        row.position = value.end
      }
      lines += '}\n'
      reader.position = rowEnd
    }
    return lines
  }
}

function timeJson(value: WireReader): string {
  const start = value.position
  if (!value.next() || value.field !== INT64_FIELD) {
    value.position = start
    return valueJson(value)
  }
  value.readVarint64()
  return `"${timestampText(value.signedNumber())}"`
}
