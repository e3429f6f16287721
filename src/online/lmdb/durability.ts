/**
 * Opens a store's environment with the durability asked for, and refuses a folder that a loss of power may have damaged.
 *
 * With durability `process` LMDB flushes nothing, so the kernel may write a commit's root before its pages; if the
 * machine stops then, the tree is broken without a trace. A marker file with the kernel's boot id says that such commits
 * may be unflushed: the same boot id means the page cache survived and all is well; another one means the machine
 * stopped in between.
 *
 * The marker stands while any process has the folder open: one that shares it leaves the marker when it closes, and who
 * started the processes removes it after the last of them (`flushLmdbStore`).
 */
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TwinstoreError } from '../../domain/errors.ts'
import { bootId } from '../../lib/boot-id.ts'
import { syncPath } from '../../lib/durable-file.ts'
import { checkDataFile } from './data-file.ts'
import { type Environment, openEnvironment, prepareFolder } from './environment.ts'
import { REBUILD } from './lmdb-error.ts'
import type { LmdbDurability } from './lmdb-options.ts'

const MARKER = 'unflushed'

/** `shared`: other processes may have the folder open now or later. */
export async function openDurably(
  dir: string,
  durability: LmdbDurability,
  mapBytes: number,
  shared: boolean,
): Promise<Environment> {
  prepareFolder(dir)
  checkDataFile(dir)
  const marker = join(dir, MARKER)
  const boot = bootId()
  const markedBoot = await readFile(marker, 'utf8').catch(() => undefined)
  if (markedBoot !== undefined && markedBoot !== boot) throw stoppedUnflushed(dir)
  if (durability === 'process') {
    if (boot === undefined) throw noBootId()
    // Not written again: a process that opens the folder at the same time would find the file empty.
    if (markedBoot === undefined) await writeMarker(dir, marker, boot)
  }
  const env = openEnvironment(dir, durability, mapBytes)
  if (durability === 'machine' && markedBoot !== undefined) await flush(dir, marker)
  if (durability === 'machine' || shared) return env
  return {
    ...env,
    async close() {
      await env.close()
      await flush(dir, marker)
    },
  }
}

/** Closes the books on a folder that processes shared: what they left to the kernel is flushed. None has it open any more. */
export async function flushLmdbStore(dir: string): Promise<void> {
  const marker = join(dir, MARKER)
  if (existsSync(marker)) await flush(dir, marker)
}

/** LMDB writes through the page cache, so flushing the file from here flushes what it wrote. */
async function flush(dir: string, marker: string): Promise<void> {
  await syncPath(join(dir, 'data.mdb'))
  await rm(marker, { force: true })
}

async function writeMarker(dir: string, marker: string, boot: string): Promise<void> {
  await writeFile(marker, boot)
  await syncPath(marker)
  await syncPath(dir)
}

function stoppedUnflushed(dir: string): TwinstoreError {
  return new TwinstoreError(
    'DATA_LOSS',
    `the machine stopped while the online store in ${dir} was open with lmdb-durability process, so it may be damaged: ${REBUILD}`,
  )
}

function noBootId(): TwinstoreError {
  return new TwinstoreError(
    'FAILED_PRECONDITION',
    'lmdb-durability process needs the boot id of a Linux kernel (/proc/sys/kernel/random/boot_id): use lmdb-durability machine',
  )
}
