import { environmentName } from './load-config.ts'
import { OPTION_GROUPS } from './option-table.ts'
import { formatOption, type OptionSpec } from './option-value.ts'

/** The text of docs/options.md, made from the table; a test holds the file to it. */
export function optionsReference(): string {
  const lines = [
    '# Options',
    '',
    'Every option of `twinstore serve`, as a flag, an environment variable or a key in the YAML file that `--config` names.',
    'A flag wins over the environment, the environment over YAML. Sizes take `KiB`, `MiB`, `GiB`; durations `ms`, `s`, `m`, `h`, `d`.',
    'This page is made from the option table by `npm run docs:options`.',
  ]
  for (const [group, options] of Object.entries(OPTION_GROUPS)) {
    lines.push(
      '',
      `## ${group}`,
      '',
      '| flag and YAML key | environment | default | range | meaning |',
      '|---|---|---|---|---|',
    )
    for (const [name, spec] of Object.entries(options)) lines.push(row(name, spec))
  }
  return `${lines.join('\n')}\n`
}

function row(name: string, spec: OptionSpec): string {
  const fallback = spec.default === '' ? '' : `\`${formatOption(spec, spec.default)}\``
  return `| \`--${name}\` | \`${environmentName(name)}\` | ${fallback} | ${range(spec)} | ${spec.description} |`
}

export function range(spec: OptionSpec): string {
  if (spec.kind === 'choice') return spec.choices.join(', ')
  if (spec.kind === 'address') return 'host:port'
  if (spec.kind === 'text') return spec.placeholder.replaceAll('<', '&lt;')
  return `${formatOption(spec, spec.min)} to ${formatOption(spec, spec.max)}`
}
