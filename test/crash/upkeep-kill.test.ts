import { join } from 'node:path'
import { test } from 'vitest'
import { upkeepKillTest } from './upkeep-kill.ts'

test('no row is lost or doubled, and every version stays readable', { timeout: 180_000 }, () =>
  upkeepKillTest({ rounds: 4, workerArguments: [], tableFolder: async (dir) => join(dir, 'offline/views/v/v1') }),
)
