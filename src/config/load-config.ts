/**
 * One frozen configuration from flags, environment and YAML, in this order of precedence, over the table's defaults.
 *
 * All faults are reported in one message, each with the place it came from; a server with a fault does not start.
 */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { type Fault, faultsError } from '../domain/errors.ts'
import { nearestName } from '../lib/nearest-name.ts'
import { type Config, OPTIONS, type OptionName, RELATIONS } from './option-table.ts'
import { type OptionSpec, type OptionValue, parseOption } from './option-value.ts'
import { CLIENT_OPTIONS } from './options/client.ts'

export interface ConfigSources {
  /** Flags given on the command line, by option name without dashes. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Path of a YAML file with option names as keys; `TWINSTORE_CONFIG` names one too. */
  readonly file?: string
}

const PREFIX = 'TWINSTORE_'
/** Environment variables with our prefix that are not options of the server. */
const OTHER_VARIABLES = new Set(['TWINSTORE_CONFIG', ...Object.keys(CLIENT_OPTIONS).map(environmentName)])

export function environmentName(option: string): string {
  return PREFIX + option.toUpperCase().replaceAll('-', '_')
}

export function loadConfig(sources: ConfigSources): Config {
  const faults: Fault[] = []
  const values: Record<string, OptionValue> = {}
  for (const [name, spec] of Object.entries(OPTIONS)) values[name] = spec.default
  const file = sources.file ?? sources.environment['TWINSTORE_CONFIG']
  if (file !== undefined && file !== '') {
    for (const [name, raw] of Object.entries(readYaml(file, faults)))
      take(name, raw, `${file}: ${name}`, values, faults)
  }
  for (const [variable, raw] of Object.entries(sources.environment)) {
    if (!variable.startsWith(PREFIX) || OTHER_VARIABLES.has(variable)) continue
    take(variable.slice(PREFIX.length).toLowerCase().replaceAll('_', '-'), raw, variable, values, faults)
  }
  for (const [name, raw] of Object.entries(sources.flags)) take(name, raw, `--${name}`, values, faults)
  const config = Object.freeze(values) as unknown as Config
  for (const rule of RELATIONS) {
    const problem = faults.length === 0 ? rule(config) : undefined
    if (problem !== undefined) faults.push({ at: 'options', problem })
  }
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', 'the configuration is not usable:', faults)
  return config
}

function take(name: string, raw: unknown, at: string, values: Record<string, OptionValue>, faults: Fault[]): void {
  const spec: OptionSpec | undefined = Object.hasOwn(OPTIONS, name) ? OPTIONS[name as OptionName] : undefined
  if (spec === undefined) {
    const nearest = nearestName(name, Object.keys(OPTIONS))
    faults.push({ at, problem: `there is no such option${nearest === undefined ? '' : `; did you mean ${nearest}?`}` })
    return
  }
  const parsed = parseOption(spec, raw)
  if (parsed.ok) values[name] = parsed.value
  else faults.push({ at, problem: parsed.problem })
}

function readYaml(file: string, faults: Fault[]): Record<string, unknown> {
  try {
    const content: unknown = parse(readFileSync(file, 'utf8')) ?? {}
    if (typeof content === 'object' && !Array.isArray(content)) return content as Record<string, unknown>
    faults.push({ at: file, problem: 'expected option names with values, for example `cache-ttl: 30s`' })
  } catch (error) {
    faults.push({
      at: file,
      problem: `cannot be read as YAML: ${error instanceof Error ? error.message : String(error)}`,
    })
  }
  return {}
}
