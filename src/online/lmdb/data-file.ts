/**
 * Looks at a store's data file before LMDB does: LMDB ends the process (a segmentation fault, a bus error) on a file
 * that is not its own or that was cut short, as by a copy that did not finish. Seen with lmdb 3.5.6.
 *
 * Offsets are those of LMDB's meta pages, data version 2, on a 64-bit little-endian machine (`MDB_meta` in mdb.c). Not
 * found here: damage inside the file, which shows when a row's checksum is verified.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { TwinstoreError } from '../../domain/errors.ts'
import { REBUILD } from './lmdb-error.ts'

const MAGIC = 0xbeefc0de
const DATA_VERSION = 2
const MAGIC_AT = 24
const VERSION_AT = 28
const PAGE_BYTES_AT = 48
const ROOTS_AT = [88, 136]
const LAST_PAGE_AT = 144
const TRANSACTION_AT = 152
const META_BYTES = 160
/** LMDB never writes pages that a transaction took and gave back, so a sound file may lack its last few. */
const UNWRITTEN_BYTES_MAX = 64 * 1024 * 1024

export function checkDataFile(dir: string): void {
  const path = join(dir, 'data.mdb')
  if (!existsSync(path)) return
  const file = openSync(path, 'r')
  try {
    if (fstatSync(file).size > 0) checkMetas(dir, file)
  } finally {
    closeSync(file)
  }
}

function checkMetas(dir: string, file: number): void {
  const first = readMeta(file, 0)
  const magic = first.readUInt32LE(MAGIC_AT)
  const version = first.readUInt32LE(VERSION_AT)
  if (magic !== MAGIC || version !== DATA_VERSION) {
    throw damaged(dir, 'data.mdb is not a database of this LMDB')
  }
  const pageBytes = first.readUInt32LE(PAGE_BYTES_AT)
  const second = readMeta(file, pageBytes)
  // Asked last: another process may make the file longer meanwhile, and its commit is only then in the meta pages.
  const { size } = fstatSync(file)
  const newest = transactionOf(second) > transactionOf(first) ? second : first
  const missingRoot = ROOTS_AT.some((at) => isBeyond(newest.readBigUInt64LE(at), pageBytes, size))
  const lastPage = Number(newest.readBigUInt64LE(LAST_PAGE_AT))
  if (missingRoot || (lastPage + 1) * pageBytes - size > UNWRITTEN_BYTES_MAX) {
    throw damaged(dir, `data.mdb was cut short: it has ${size} bytes of ${(lastPage + 1) * pageBytes}`)
  }
}

function readMeta(file: number, offset: number): Buffer {
  const meta = Buffer.alloc(META_BYTES)
  readSync(file, meta, 0, META_BYTES, offset)
  return meta
}

function transactionOf(meta: Buffer): bigint {
  return meta.readUInt32LE(MAGIC_AT) === MAGIC ? meta.readBigUInt64LE(TRANSACTION_AT) : -1n
}

/** All bits set stand for the root of an empty tree. */
function isBeyond(page: bigint, pageBytes: number, size: number): boolean {
  return page !== 0xffffffffffffffffn && (Number(page) + 1) * pageBytes > size
}

function damaged(dir: string, detail: string): TwinstoreError {
  return new TwinstoreError(
    'DATA_LOSS',
    `${dir} cannot be opened as an online store, ${detail}: give another folder (--online lmdb:<dir>), or ${REBUILD}`,
  )
}
