export interface GroupTimes {
  readonly seconds: number
  readonly mainSeconds: number
  readonly user: number
  readonly system: number
  readonly reads: number
  readonly writes: number
}

export interface Look<Name extends string> {
  readonly atMicros: number
  readonly idleTicks: number
  readonly groups: Readonly<Record<Name, GroupTimes>>
}

export interface GroupAccount {
  readonly coreShare: number
  readonly seconds: number
  readonly mainSeconds: number
  readonly systemShare: number
  readonly reads: number
  readonly writes: number
}

export type Account<Name extends string> = Readonly<Record<Name, GroupAccount>> &
  Readonly<Record<'rest' | 'idle', { readonly coreShare: number }>>

export function cpuSeconds(pid: number): number
export function lookAtProcessors<Name extends string>(groups: Readonly<Record<Name, readonly number[]>>): Look<Name>
export function accountBetween<Name extends string>(before: Look<Name>, after: Look<Name>): Account<Name>
