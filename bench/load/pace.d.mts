export interface OpenPace {
  readonly perSecond: number
  readonly arrivals: 'constant' | 'poisson'
  readonly seed: number
}

export function arrivals(pace: OpenPace): Generator<number, never>

export class Schedule {
  constructor(pace: OpenPace, endMs: number, send: (dueMs: number) => void)
  run(nowMs: number): number | undefined
}
