import { randomUUID } from 'node:crypto'
import { TwinstoreError } from '../../domain/errors.ts'
import type { ObjectStore } from '../objects/object-store.ts'

const PATH = 'store-id'

/** What tells this offline store from any other; made when it is first asked for, and kept in the store itself. */
export async function offlineStoreId(objects: ObjectStore): Promise<string> {
  const known = await objects.read(PATH)
  if (known !== undefined) return known.toString('utf8')
  await objects.putIfAbsent(PATH, Buffer.from(randomUUID()))
  const made = await objects.read(PATH)
  if (made !== undefined) return made.toString('utf8')
  throw new TwinstoreError('UNAVAILABLE', `${objects.location}: ${PATH} was written and cannot be read`)
}
