import { type Command, Option } from 'commander'
import { environment } from '../config/environment.ts'
import { environmentName, loadConfig } from '../config/load-config.ts'
import { type Config, OPTIONS, type OptionName } from '../config/option-table.ts'
import { formatOption, type OptionSpec } from '../config/option-value.ts'

/** Adds the named options of the table (and `--config`) as flags. Values are checked later, all at once. */
export function addOptionFlags(command: Command, names: readonly OptionName[]): Command {
  command.addOption(new Option('--config <file>', 'YAML file with options by name (TWINSTORE_CONFIG)'))
  for (const name of names) command.addOption(optionFlag(name, OPTIONS[name]))
  return command
}

/** A row of a table as a flag. */
export function optionFlag(name: string, spec: OptionSpec): Option {
  const fallback = spec.default === '' || spec.kind === 'switch' ? '' : `; default ${formatOption(spec, spec.default)}`
  const value = spec.kind === 'switch' ? '' : ` ${placeholder(spec)}`
  return new Option(`--${name}${value}`, `${spec.description} (${environmentName(name)}${fallback})`)
}

function placeholder(spec: Exclude<OptionSpec, { kind: 'switch' }>): string {
  switch (spec.kind) {
    case 'text':
      return spec.placeholder.startsWith('<') ? spec.placeholder : `<${spec.placeholder.replace(/[<>]/g, '')}>`
    case 'address':
      return '<host:port>'
    case 'choice':
      return `<${spec.choices.join('|')}>`
    default:
      return `<${spec.kind}>`
  }
}

/** The configuration from a command's flags, the environment and YAML. */
export function commandConfig(options: Readonly<Record<string, unknown>>): Config {
  const flags: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(options)) if (key !== 'config') flags[kebab(key)] = value
  const file = options['config']
  return loadConfig({ flags, environment: environment(), ...(typeof file === 'string' ? { file } : {}) })
}

/** Commander turns `--data-dir` into `dataDir`. */
function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
