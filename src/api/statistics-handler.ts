/** Statistics: the values of views' features over a window of event time, and how far they are from a reference window's. */
import type { DefinitionsSource } from '../domain/definitions-source.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { viewNamed } from '../domain/known-names.ts'
import { storageId } from '../domain/registry.ts'
import type { Statistics } from '../statistics/statistics.ts'
import type { StatisticsDocument } from '../statistics/statistics-document.ts'
import type { Archiver } from '../writing/archiver.ts'
import type { CallContext } from './call-context.ts'
import { checkedMicros } from './time-range.ts'

export interface StatisticsCall {
  /** Empty: all views that have rows. */
  readonly views: readonly string[]
  readonly fromMicros?: bigint
  readonly untilMicros?: bigint
  readonly referenceFromMicros?: bigint
  readonly referenceUntilMicros?: bigint
  /** Above 0: at most so many kept documents of each view, newest first, instead of new ones. */
  readonly kept: number
}

export interface StatisticsParts {
  readonly definitions: DefinitionsSource
  readonly archiver: Pick<Archiver, 'flush'>
  readonly statistics: Pick<Statistics, 'make' | 'kept'>
}

export async function viewStatistics(
  { definitions, archiver, statistics }: StatisticsParts,
  call: StatisticsCall,
  { signal }: CallContext,
): Promise<readonly StatisticsDocument[]> {
  const { registry } = definitions.current
  const views = call.views.map((name) => viewNamed(registry, name))
  const asked = Object.fromEntries(
    (['fromMicros', 'untilMicros', 'referenceFromMicros', 'referenceUntilMicros'] as const).flatMap((name) => {
      const micros = checkedMicros(fieldName(name), call[name])
      return micros === undefined ? [] : [[name, micros]]
    }),
  )
  if (call.kept > 0) {
    if (Object.keys(asked).length > 0) {
      throw new TwinstoreError(
        'INVALID_ARGUMENT',
        'kept statistics have the windows they were made with; leave out the times',
      )
    }
    return statistics.kept(call.views, call.kept)
  }
  await archiver.flush(signal, views.length === 0 ? undefined : views.map(storageId))
  return statistics.make(call.views, asked, { signal })
}

/** `from_micros` */
function fieldName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
