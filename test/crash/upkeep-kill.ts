/**
 * Processes that append to a table, compact it and write its checkpoints are killed at random points, all at the same table, and
 * so is the vacuum after them. Every row is then there exactly once, every version is readable and what it was, and no
 * file is left that no version needs. `TEST_SEED` repeats a run.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { expect, onTestFinished } from 'vitest'
import { readDeltaTable, readVersions } from '../support/delta-reader.ts'
import { seededRandom, testSeed } from '../support/random.ts'

const WORKER = new URL('./upkeep-worker.mjs', import.meta.url).pathname
const ROLES = ['append', 'append', 'compact', 'compact'] as const

/** Where the table is. */
export interface UpkeepPlace {
  /** How often all workers run until they are killed. */
  readonly rounds: number
  /** What a worker is told of it, beside the folder it works in. */
  readonly workerArguments: readonly string[]
  /** The table as it is now, in a folder; asked when no worker runs. */
  tableFolder(dir: string): Promise<string>
}

export async function upkeepKillTest(place: UpkeepPlace): Promise<void> {
  const seed = testSeed()
  console.log(`TEST_SEED=${seed}`)
  const random = seededRandom(seed)
  const dir = await mkdtemp(join(tmpdir(), 'twinstore-upkeep-kill-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const run = (role: string, seed: number, shard: number) =>
    runWorker([dir, role, String(seed), String(shard), ...place.workerArguments])

  /** Acknowledged rows per shard, and rows of each version when it was first looked at. */
  const acknowledged = new Map<number, number>()
  const rowsOf: number[] = []
  let rearranged = 0
  let checkpoints = 0
  for (let round = 0; round < place.rounds; round++) {
    await Promise.all(
      ROLES.map(async (role, shard) => {
        const lines = await run(role, seedFrom(random), shard)
        if (role === 'append') acknowledged.set(shard, Math.max(acknowledged.get(shard) ?? 0, ...lines.map(Number)))
      }),
    )
    await run('vacuum', seedFrom(random), 0)

    const folder = await place.tableFolder(dir)
    const table = await readDeltaTable(folder)
    const versions = await readVersions(folder)
    const rows = await rowsByShardAndVersion(folder, table.files)
    for (const [shard, positions] of rows) {
      expect(positions.map(({ position }) => position)).toEqual(positions.map((_, index) => index + 1))
      expect(positions.length).toBeGreaterThanOrEqual(acknowledged.get(shard) ?? 0)
    }
    for (const [shard, position] of acknowledged) expect(rows.get(shard)?.length ?? 0).toBeGreaterThanOrEqual(position)

    const all = [...rows.values()].flat()
    for (const [version, { rowCount, addedRows }] of versions.entries()) {
      // What the log said of the version, whatever became of its files since.
      expect(all.filter((row) => row.version <= version)).toHaveLength(rowCount)
      expect(all.filter((row) => row.version === version)).toHaveLength(addedRows)
      rowsOf[version] ??= rowCount
      expect(rowsOf[version]).toBe(rowCount)
    }
    rearranged = versions.filter(({ isRearranged }) => isRearranged).length
    checkpoints = table.checkpoints.length
  }

  // One that is not killed ends what the others began.
  while ((await run('vacuum', seedFrom(random), 0)).length === 0);
  const { files, parquetFiles } = await readDeltaTable(await place.tableFolder(dir))
  expect(parquetFiles).toEqual(files.map((file) => file.path).sort())
  console.log(`${rowsOf.length} versions, ${rowsOf.at(-1)} rows, ${rearranged} compactions, ${checkpoints} checkpoints`)
  expect(rearranged).toBeGreaterThan(0)
  expect(checkpoints).toBeGreaterThan(0)
}

function seedFrom(random: () => number): number {
  return Math.floor(random() * 2 ** 31)
}

/** Runs a worker to its end; resolves to the whole lines it printed. */
async function runWorker(args: readonly string[]): Promise<string[]> {
  const worker = spawn(process.execPath, [WORKER, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void worker.kill('SIGKILL'))
  let printed = ''
  let complaint = ''
  worker.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  worker.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text
  })
  const [code, signal] = await once(worker, 'close')
  if (signal !== 'SIGKILL' && code !== 0)
    throw new Error(`${args[1]} ended by itself (${signal ?? code}):\n${complaint}`)
  return printed.split('\n').slice(0, -1)
}

interface Row {
  readonly position: number
  readonly version: number
}

/** The rows of the newest files in order of position, each with the version that its file, or it itself, says. */
async function rowsByShardAndVersion(
  folder: string,
  files: readonly { readonly path: string; readonly tags: Readonly<Record<string, string>> }[],
): Promise<ReadonlyMap<number, readonly Row[]>> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const rows = new Map<number, Row[]>()
  for (const { path, tags } of files) {
    const version = tags['twinstore.version'] ?? '_twinstore_version'
    const reader = await connection.runAndReadAll(
      `SELECT k, write_position, ${version} AS version FROM read_parquet('${join(folder, path)}')`,
    )
    for (const row of reader.getRowObjects()) {
      const shard = Number((row['k'] as string).slice(1))
      const ofShard = rows.get(shard) ?? []
      rows.set(shard, ofShard)
      ofShard.push({ position: Number(row['write_position']), version: Number(row['version']) })
    }
  }
  connection.closeSync()
  for (const ofShard of rows.values()) ofShard.sort((a, b) => a.position - b.position)
  return rows
}
