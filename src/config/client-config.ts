/** Where a command finds its server and how it speaks to it: from flags and the environment, all faults in one message. */
import { type Fault, faultsError } from '../domain/errors.ts'
import { environmentName } from './load-config.ts'
import { type OptionValue, parseOption } from './option-value.ts'
import { CLIENT_OPTIONS, type ClientOptionName } from './options/client.ts'

export type ClientConfig = { readonly [N in ClientOptionName]: string }

export interface ClientConfigSources {
  /** By option name without dashes; undefined: not given. */
  readonly flags: { readonly [N in ClientOptionName]?: unknown }
  readonly environment: Readonly<Record<string, string | undefined>>
}

export function loadClientConfig({ flags, environment }: ClientConfigSources): ClientConfig {
  const faults: Fault[] = []
  const values: Record<string, OptionValue> = {}
  for (const [name, spec] of Object.entries(CLIENT_OPTIONS)) {
    const flag = flags[name as ClientOptionName]
    const raw = flag ?? environment[environmentName(name)] ?? spec.default
    const parsed = parseOption(spec, raw)
    if (parsed.ok) values[name] = parsed.value
    else faults.push({ at: flag === undefined ? environmentName(name) : `--${name}`, problem: parsed.problem })
  }
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', 'the options are not usable:', faults)
  return Object.freeze(values) as unknown as ClientConfig
}
