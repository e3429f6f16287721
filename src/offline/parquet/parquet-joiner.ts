/**
 * Makes one Parquet file of several with the same columns, without decoding a value: the row groups are copied as they are, and
 * the metadata at the end gets their new places. The result is the file that one writer would have written.
 *
 * Memory: the metadata of the row groups so far, serialized (a few kB per row group of 20 columns), and one piece of a part.
 * Source of the field numbers: parquet.thrift of https://github.com/apache/parquet-format.
 */
import assert from 'node:assert/strict'
import { type FileHandle, open } from 'node:fs/promises'
import { changed, readStruct, type ThriftList, type ThriftStruct, writeStruct } from './thrift-struct.ts'

const MAGIC = Buffer.from('PAR1')
const COPY_BYTES = 1 << 20

const FILE = { schema: 2, rows: 3, rowGroups: 4 } as const
const ROW_GROUP = { columns: 1, offset: 5, ordinal: 7 } as const
const COLUMN = { offset: 2, metadata: 3, offsetIndexOffset: 4, columnIndexOffset: 6 } as const
const COLUMN_METADATA = { dataPage: 9, indexPage: 10, dictionaryPage: 11, bloomFilter: 14 } as const

export interface ParquetJoiner {
  /** Appends the row groups of a complete Parquet file. */
  add(path: string): Promise<void>
  /** Writes the metadata. At least one part must have been added. */
  finish(): Promise<{ readonly rows: number }>
}

/** `write` takes the bytes of the result in order. */
export function createParquetJoiner(write: (bytes: Buffer) => Promise<void>): ParquetJoiner {
  let first: ThriftStruct | undefined
  let rows = 0n
  let position = 0
  const rowGroups: Buffer[] = []

  const append = async (bytes: Buffer) => {
    await write(bytes)
    position += bytes.length
  }

  return {
    async add(path) {
      const file = await open(path)
      try {
        const { metadata, contentEnd } = await readMetadata(file)
        if (first === undefined) await append(MAGIC)
        first ??= metadata
        assertSameSchema(first, metadata)
        const shift = BigInt(position - MAGIC.length)
        for (const rowGroup of listOf(metadata, FILE.rowGroups).items) {
          rowGroups.push(writeStruct(movedRowGroup(rowGroup as ThriftStruct, shift, rowGroups.length)))
        }
        rows += metadata.get(FILE.rows)!.value as bigint
        await copyContent(file, contentEnd, append)
      } finally {
        await file.close()
      }
    },
    async finish() {
      assert(first !== undefined, 'a Parquet file of no parts')
      const { itemType } = listOf(first, FILE.rowGroups)
      const metadata = writeStruct(
        changed(first, [
          [FILE.rows, rows],
          [FILE.rowGroups, { itemType, items: rowGroups }],
        ]),
      )
      const length = Buffer.alloc(4)
      length.writeUInt32LE(metadata.length)
      await append(Buffer.concat([metadata, length, MAGIC]))
      return { rows: Number(rows) }
    },
  }
}

/** The metadata, and where the content before it ends. */
async function readMetadata(file: FileHandle): Promise<{ metadata: ThriftStruct; contentEnd: number }> {
  const { size } = await file.stat()
  const tail = await readAt(file, size - 8, 8)
  assert(tail.subarray(4).equals(MAGIC), 'not a complete Parquet file')
  const contentEnd = size - 8 - tail.readUInt32LE(0)
  return { metadata: readStruct(await readAt(file, contentEnd, size - 8 - contentEnd)), contentEnd }
}

async function copyContent(file: FileHandle, end: number, append: (bytes: Buffer) => Promise<void>): Promise<void> {
  for (let at = MAGIC.length; at < end; at += COPY_BYTES) {
    await append(await readAt(file, at, Math.min(COPY_BYTES, end - at)))
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, position)
  assert.equal(bytesRead, length, 'a Parquet file became shorter while it was read')
  return buffer
}

function assertSameSchema(one: ThriftStruct, other: ThriftStruct): void {
  const bytes = (metadata: ThriftStruct) => writeStruct(new Map([[FILE.schema, metadata.get(FILE.schema)!]]))
  assert(bytes(one).equals(bytes(other)), 'Parquet files of different schemas')
}

function listOf(struct: ThriftStruct, field: number): ThriftList {
  return struct.get(field)!.value as ThriftList
}

function movedRowGroup(rowGroup: ThriftStruct, shift: bigint, ordinal: number): ThriftStruct {
  const { itemType, items } = listOf(rowGroup, ROW_GROUP.columns)
  const columns = items.map((item) => movedColumn(item as ThriftStruct, shift))
  return changed(rowGroup, [
    [ROW_GROUP.columns, { itemType, items: columns }],
    [ROW_GROUP.offset, moved(rowGroup, ROW_GROUP.offset, shift)],
    [ROW_GROUP.ordinal, BigInt(ordinal)],
  ])
}

function movedColumn(column: ThriftStruct, shift: bigint): ThriftStruct {
  const metadata = column.get(COLUMN.metadata)!.value as ThriftStruct
  return changed(column, [
    [COLUMN.metadata, movedFields(metadata, Object.values(COLUMN_METADATA), shift)],
    ...movedEntries(column, [COLUMN.offset, COLUMN.offsetIndexOffset, COLUMN.columnIndexOffset], shift),
  ])
}

function movedFields(struct: ThriftStruct, fields: readonly number[], shift: bigint): ThriftStruct {
  return changed(struct, movedEntries(struct, fields, shift))
}

function movedEntries(struct: ThriftStruct, fields: readonly number[], shift: bigint) {
  return fields.map((field) => [field, moved(struct, field, shift)] as const)
}

/** An offset of 0 is none: the file begins with its magic bytes. */
function moved(struct: ThriftStruct, field: number, shift: bigint): bigint | undefined {
  const offset = struct.get(field)?.value as bigint | undefined
  return offset === undefined || offset === 0n ? offset : offset + shift
}
