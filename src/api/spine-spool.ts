/** A spine on its way in, written to a file as it comes; what is held in memory is one message. */
import { randomUUID } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { TwinstoreError } from '../domain/errors.ts'
import type { SpineFormat, TrainingSetPart } from './training-set-spec.ts'

export interface SpineFile {
  readonly path: string
  readonly format: SpineFormat
  dispose(): Promise<void>
}

/** RESOURCE_EXHAUSTED beyond `bytesMax`, what `absent` gives for no bytes at all; the file is gone then. */
export async function spoolSpine(
  incoming: AsyncIterator<TrainingSetPart>,
  format: SpineFormat,
  dir: string,
  bytesMax: number,
  absent: () => TwinstoreError,
): Promise<SpineFile> {
  const path = join(dir, `spine-${randomUUID()}.${format}`)
  const dispose = (): Promise<void> => rm(path, { force: true })
  try {
    const bytes = await writeSpine(incoming, path, bytesMax)
    if (bytes === 0) throw absent()
  } catch (error) {
    await dispose()
    throw error
  }
  return { path, format, dispose }
}

async function writeSpine(incoming: AsyncIterator<TrainingSetPart>, path: string, bytesMax: number): Promise<number> {
  let bytes = 0
  const file = await open(path, 'wx')
  try {
    for (let next = await incoming.next(); !next.done; next = await incoming.next()) {
      if (!('spine' in next.value)) {
        throw new TwinstoreError('INVALID_ARGUMENT', 'only the first message of GetTrainingSet may have `spec`')
      }
      bytes += next.value.spine.length
      if (bytes > bytesMax) {
        throw new TwinstoreError(
          'RESOURCE_EXHAUSTED',
          `the spine is larger than the ${bytesMax} bytes of option spine-bytes-max; send it in parts`,
        )
      }
      await file.writeFile(next.value.spine)
    }
  } finally {
    await file.close()
  }
  return bytes
}
