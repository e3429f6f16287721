import type { Syncer } from '../writing/syncer.ts'
import type { Statistics } from './statistics.ts'

/** A syncer whose syncs are followed by the statistics of the views that got rows, when all views of the call are done. */
export function describedAfterSync(syncer: Syncer, statistics: Pick<Statistics, 'soon'>): Syncer {
  return {
    ...syncer,
    async sync(views, options = {}) {
      const changed: string[] = []
      try {
        return await syncer.sync(views, {
          ...options,
          onResult(result) {
            if (result.rowsAdded > 0) changed.push(result.view)
            options.onResult?.(result)
          },
        })
      } finally {
        statistics.soon(changed)
      }
    },
  }
}
