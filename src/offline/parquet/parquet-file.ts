/**
 * Writes a plain Parquet file: uncompressed, without dictionaries and statistics, a page per column and row group. It is made to
 * be read once, by DuckDB, which takes such a file faster than values one by one through its bindings: a page's
 * values are the very bytes of DuckDB's vectors.
 *
 * Source of the layout: https://parquet.apache.org/docs/file-format/ and parquet.thrift of apache/parquet-format.
 */
import { type FileHandle, open } from 'node:fs/promises'
import type { ScalarType } from '../../domain/value-type.ts'
import type { Column, ColumnSpec } from './column.ts'
import { bool, encodeThrift, i32, i64, list, struct, type Thrift, text } from './thrift.ts'

const MAGIC = Buffer.from('PAR1')
const UNCOMPRESSED = 0
const PLAIN = 0
const RLE = 3
const DATA_PAGE = 0
const REQUIRED = 0
const OPTIONAL = 1
const REPEATED = 2
const CONVERTED_UTF8 = 0
const CONVERTED_LIST = 3

const PHYSICAL: Readonly<Record<ScalarType, number>> = {
  bool: 0,
  int32: 1,
  int64: 2,
  timestamp: 2,
  float: 4,
  double: 5,
  string: 6,
  bytes: 6,
}

export class ParquetFile {
  readonly #file: FileHandle
  readonly #columns: readonly Column[]
  readonly #rowGroups: Thrift[] = []
  #position = 0
  #rows = 0

  private constructor(file: FileHandle, columns: readonly Column[]) {
    this.#file = file
    this.#columns = columns
  }

  /** A new file of these columns, in this order. */
  static async create(path: string, columns: readonly Column[]): Promise<ParquetFile> {
    const parquet = new ParquetFile(await open(path, 'wx'), columns)
    await parquet.#write(MAGIC)
    return parquet
  }

  /** Writes what the columns hold, which are so many rows, and clears them. */
  async writeRowGroup(rows: number): Promise<void> {
    const chunks: Thrift[] = []
    let bytes = 0
    for (const column of this.#columns) {
      const page = column.page()
      const head = encodeThrift(pageHeader(column, page.length))
      const length = head.length + page.length
      chunks.push(columnChunk(column, this.#position, length))
      await this.#write(head)
      await this.#write(page)
      bytes += length
      column.clear()
    }
    this.#rowGroups.push(struct([1, list(chunks)], [2, i64(bytes)], [3, i64(rows)]))
    this.#rows += rows
  }

  /** Nothing may be written after it. */
  async finish(): Promise<void> {
    const schema = [
      struct([4, text('rows')], [5, i32(this.#columns.length)]),
      ...this.#columns.flatMap(({ spec }) => schemaElements(spec)),
    ]
    const footer = encodeThrift(
      struct([1, i32(1)], [2, list(schema)], [3, i64(this.#rows)], [4, list(this.#rowGroups)], [6, text('Twinstore')]),
    )
    const length = Buffer.alloc(4)
    length.writeUInt32LE(footer.length)
    await this.#write(Buffer.concat([footer, length, MAGIC]))
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  async #write(bytes: Buffer): Promise<void> {
    await this.#file.writeFile(bytes)
    this.#position += bytes.length
  }
}

function pageHeader(column: Column, bytes: number): Thrift {
  const data = struct([1, i32(column.levels)], [2, i32(PLAIN)], [3, i32(RLE)], [4, i32(RLE)])
  return struct([1, i32(DATA_PAGE)], [2, i32(bytes)], [3, i32(bytes)], [5, data])
}

function columnChunk({ spec, levels }: Column, position: number, bytes: number): Thrift {
  const path = spec.isList ? [spec.name, 'list', 'element'] : [spec.name]
  const metaData = struct(
    [1, i32(PHYSICAL[spec.of])],
    [2, list([i32(PLAIN), i32(RLE)])],
    [3, list(path.map(text))],
    [4, i32(UNCOMPRESSED)],
    [5, i64(levels)],
    [6, i64(bytes)],
    [7, i64(bytes)],
    [9, i64(position)],
  )
  return struct([2, i64(position)], [3, metaData])
}

function schemaElements({ name, of, isList }: ColumnSpec): Thrift[] {
  if (!isList) return [leaf(name, of, OPTIONAL)]
  return [
    struct([3, i32(OPTIONAL)], [4, text(name)], [5, i32(1)], [6, i32(CONVERTED_LIST)]),
    struct([3, i32(REPEATED)], [4, text('list')], [5, i32(1)]),
    leaf('element', of, REQUIRED),
  ]
}

function leaf(name: string, of: ScalarType, repetition: number): Thrift {
  const fields = [[1, i32(PHYSICAL[of])] as const, [3, i32(repetition)] as const, [4, text(name)] as const]
  if (of === 'string') return struct(...fields, [6, i32(CONVERTED_UTF8)])
  // The logical type TIMESTAMP, field 8 of its union: adjusted to UTC, in microseconds (field 2 of the unit's union).
  if (of === 'timestamp')
    return struct(...fields, [10, struct([8, struct([1, bool(true)], [2, struct([2, struct()])])])])
  return struct(...fields)
}
