import { Command } from 'commander'
import { parseOption } from '../config/option-value.ts'
import { inWords } from '../domain/blind-window.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { knownNames, quotedName } from '../lib/nearest-name.ts'
import { withClient } from './connection.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { loadServer } from './load-server.ts'
import { addOptionFlags, commandConfig } from './option-flags.ts'
import { print, printJson, printTable } from './output.ts'
import { addTlsFlags, type ServerFlags } from './server-address.ts'
import { type ComputeTime, explanation, type PlannedView, planOf, type ViewPlan, windowInWords } from './view-plan.ts'

const HELP = `
Needs no server: it reads the definitions. For each view it shows the ttl, how often the view is synced and how long a sync takes, and works
out the blind window: for how long in each cycle no value is within its ttl, and the three ways out of it.
How long a sync takes is, in this order, what --compute-time says, what the last sync took (with --address), what the definitions
say (sync.computeTime). Exits with 2 if apply and serve would refuse a view.

Examples:
  $ twinstore plan --definitions ./features
  $ twinstore plan --definitions ./features --compute-time demand_daily=4h
  $ twinstore plan --address 10.0.0.7:50051 --json`

const STATUS_TIMEOUT = '10s'

interface PlanFlags extends ServerFlags {
  readonly computeTime: readonly string[]
  readonly json?: boolean
}

export function planCommand(): Command {
  const command = new Command('plan')
    .description('Show how fresh the views are kept, and for how long they are not.')
    .addHelpText('after', HELP)
  addOptionFlags(command, ['definitions', 'data-dir', 'offline', 's3-endpoint', 's3-region', 's3-path-style'])
  return addTlsFlags(command.option('--address <host:port>', 'a server to ask how long the last syncs took'))
    .option('--compute-time <view=duration>', 'how long a sync of the view takes (can be repeated)', collect, [])
    .option('--json', 'print JSON for machines')
    .action(plan)
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text]
}

async function plan({ computeTime, json, ...flags }: PlanFlags & Record<string, unknown>): Promise<void> {
  const { address, tls, tlsCa, tlsCert, tlsKey, tlsServerName, ...options } = flags
  const server: ServerFlags = { address, tls, tlsCa, tlsCert, tlsKey, tlsServerName }
  const config = commandConfig(options)
  const { plannedViews } = await loadServer()
  const views = await plannedViews(config)
  const measured = address === undefined ? new Map<string, number>() : await measuredSeconds(server)
  const given = givenSeconds(computeTime, views)
  const plans = views.map((view) => planOf(view, computeTimeOf(view.name, given, measured)))
  if (json) printJson(plans)
  else printPlans(plans)
  if (plans.some(({ verdict }) => verdict === 'refused')) process.exitCode = EXIT_CODES.INVALID_ARGUMENT
}

function computeTimeOf(
  view: string,
  given: ReadonlyMap<string, number>,
  measured: ReadonlyMap<string, number>,
): ComputeTime | undefined {
  const flag = given.get(view)
  if (flag !== undefined) return { seconds: flag, from: 'flag' }
  const last = measured.get(view)
  return last === undefined ? undefined : { seconds: last, from: 'last sync' }
}

async function measuredSeconds(server: ServerFlags): Promise<ReadonlyMap<string, number>> {
  const { syncs } = await withClient({ ...server, timeout: STATUS_TIMEOUT }, (client) => client.status())
  return new Map(syncs.flatMap(({ view, lastSeconds }) => (lastSeconds === undefined ? [] : [[view, lastSeconds]])))
}

const DURATION = { kind: 'duration', default: 0, min: 0, max: 3650 * 86_400_000, group: '', description: '' } as const

function givenSeconds(texts: readonly string[], views: readonly PlannedView[]): ReadonlyMap<string, number> {
  return new Map(
    texts.map((text) => {
      const at = text.indexOf('=')
      const [name, value] = [text.slice(0, at), text.slice(at + 1)]
      const names = views.map((view) => view.name)
      if (!names.includes(name)) {
        throw new TwinstoreError(
          'NOT_FOUND',
          `--compute-time: unknown view ${quotedName(name)}${knownNames(name, names)}`,
        )
      }
      const parsed = parseOption(DURATION, value)
      if (!parsed.ok) throw new TwinstoreError('INVALID_ARGUMENT', `--compute-time ${text}: ${parsed.problem}`)
      return [name, (parsed.value as number) / 1000]
    }),
  )
}

function printPlans(plans: readonly ViewPlan[]): void {
  printTable(
    ['view', 'ttl', 'sync every', 'compute time', 'blind window', ''],
    plans.map((each) => [
      each.view,
      each.ttlSeconds === undefined ? 'none' : inWords(each.ttlSeconds),
      each.everySeconds === undefined ? 'by hand' : inWords(each.everySeconds),
      each.compute === undefined ? 'not known' : `${inWords(each.compute.seconds)} (${each.compute.from})`,
      windowInWords(each),
      each.verdict,
    ]),
  )
  for (const lines of plans.map(explanation)) if (lines.length > 0) print(`\n${lines.join('\n')}`)
}
