/** What an account (`cpu-account.mjs`) comes to as figures and plots: shares of the cores, and what a call costs each group of processes. */
import { spread } from './spread.mjs'

const GROUPS = ['server', 'load', 'redis']
const SHARES = [...GROUPS, 'rest', 'idle']
export const ACCOUNT_FIGURES = [
  ...SHARES.map((name) => `${name}_core_share`),
  ...GROUPS.flatMap((name) => ['cpu_us', 'system_share', 'reads', 'writes'].map((what) => `${name}_${what}`)),
]
/** In the instant of a quick run a process may do nothing at all, and a busy machine leaves nothing idle. */
export const MAY_BE_ZERO = /_(core_share|cpu_us|system_share|reads|writes)$/
const PERCENT = 100

/** `accounts` are those of several rounds of one load; the figures begin with `prefix`. */
export function accountFigures(prefix, accounts) {
  const list = accounts.map(figuresOf)
  return Object.fromEntries(
    ACCOUNT_FIGURES.map((name) => [`${prefix}${name}`, spread(list.map((figures) => figures[name]))]),
  )
}

function figuresOf(account) {
  // None may have ended in the instant of a quick run.
  const calls = Math.max(1, account.calls)
  const shares = SHARES.map((name) => [`${name}_core_share`, account[name].coreShare])
  const costs = GROUPS.flatMap((name) => {
    const { seconds, systemShare, reads, writes } = account[name]
    return [
      [`${name}_cpu_us`, (seconds * 1e6) / calls],
      [`${name}_system_share`, systemShare],
      [`${name}_reads`, reads / calls],
      [`${name}_writes`, writes / calls],
    ]
  })
  return Object.fromEntries([...shares, ...costs])
}

/** Two plots of bars. `loads`: the label and the prefix of the figures of each load. */
export function accountPlots(what, loads, figures) {
  const bars = (figureOf) => loads.map(([label, prefix]) => [label, ...figureOf((name) => figures[`${prefix}${name}`])])
  const times = (factorOf, name) => (figure) => {
    const { median, min, max } = figure(name)
    return [median, min, max].map((value) => value * factorOf(figure))
  }
  const constantly = (factor) => () => factor
  return [
    {
      title: `${what}: whose the cores were`,
      kind: 'bars',
      y: { label: 'percent of all cores' },
      series: SHARES.map((name) => ({ name, points: bars(times(constantly(PERCENT), `${name}_core_share`)) })),
    },
    {
      title: `${what}: processor time of a call`,
      kind: 'bars',
      y: { label: 'µs' },
      series: GROUPS.flatMap((name) => {
        const inKernel = (figure) => figure(`${name}_system_share`).median
        return [
          { name, points: bars(times(constantly(1), `${name}_cpu_us`)) },
          { name: `${name}, in the kernel`, points: bars(times(inKernel, `${name}_cpu_us`)) },
        ]
      }),
    },
  ]
}
