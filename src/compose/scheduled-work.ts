/** What a server does by itself, again and again. */
import type { Config } from '../config/option-table.ts'
import { scheduleSlice } from '../config/slices/background.ts'
import { upkeepSlice } from '../config/slices/offline.ts'
import { systemClock as clock } from '../lib/clock.ts'
import { createSchedule, type Schedule, type ScheduledTask } from '../upkeep/schedule.ts'
import { tableTasks } from '../upkeep/table-tasks.ts'
import { limitTasks } from '../writing/limit-tasks.ts'
import { syncTasks } from '../writing/sync-tasks.ts'
import { runsSchedule, type ServerParts } from './parts.ts'

/** What repeats by itself; each task is built beside the part whose work it does. */
export function scheduledTasks(config: Config, parts: ServerParts): readonly ScheduledTask[] {
  const syncs = config['sync-schedule'] === 'on' ? syncTasks({ ...parts, clock }) : []
  const limits = limitTasks({ ...parts, everyMs: config['keep-online-interval'] })
  return [...syncs, ...limits, ...upkeepTasks(config, parts), ...parts.parity.tasks()]
}

function upkeepTasks(config: Config, { definitions, offline, log }: ServerParts): readonly ScheduledTask[] {
  return tableTasks({
    views: definitions.current.registry.views.values(),
    offline,
    compactEveryMs: config['compact-interval'],
    vacuumEveryMs: config['vacuum-interval'],
    ...upkeepSlice(config),
    onCompacted: (result) => log.info('small files of a table were rewritten', { ...result }),
    onVacuumed: (result) => log.info('old files of a table were deleted', { ...result }),
  })
}

export function buildSchedule(config: Config, tasks: readonly ScheduledTask[], parts: ServerParts): Schedule {
  return createSchedule({
    tasks,
    clock,
    random: Math.random,
    isMine: runsSchedule(parts),
    ...scheduleSlice(config),
    onFault: (task, error) =>
      parts.log.error('a scheduled task failed and will be tried again', { task: task.name, error }),
  })
}
