import { environmentName } from './load-config.ts'
import { OPTION_GROUPS } from './option-table.ts'
import { formatOption, type OptionSpec } from './option-value.ts'
import { CLIENT_OPTIONS } from './options/client.ts'

/** The text of docs/options.md, made from the table; a test holds the file to it. */
export function optionsReference(): string {
  const lines = [
    '# Options',
    '',
    'Every option of `twinstore serve`, as a flag, an environment variable or a key in the YAML file that `--config` names.',
    'A flag wins over the environment, the environment over YAML. Sizes take `KiB`, `MiB`, `GiB`; durations `ms`, `s`, `m`, `h`, `d`.',
    'This page is made from the option table by `npm run docs:options`.',
  ]
  for (const [group, options] of Object.entries(OPTION_GROUPS))
    lines.push(...section(group, 'flag and YAML key', options))
  lines.push(
    ...section('Commands that ask a server', 'flag', CLIENT_OPTIONS),
    '',
    'These are not of `serve`, and not read from YAML: each command that asks a server has them. `--tls` stands alone as a flag.',
  )
  return `${lines.join('\n')}\n`
}

function section(title: string, names: string, options: Readonly<Record<string, OptionSpec>>): string[] {
  return [
    '',
    `## ${title}`,
    '',
    `| ${names} | environment | default | range | meaning |`,
    '|---|---|---|---|---|',
    ...Object.entries(options).map(([name, spec]) => row(name, spec)),
  ]
}

function row(name: string, spec: OptionSpec): string {
  const fallback = spec.default === '' ? '' : `\`${formatOption(spec, spec.default)}\``
  return `| \`--${name}\` | \`${environmentName(name)}\` | ${fallback} | ${range(spec)} | ${spec.description} |`
}

export function range(spec: OptionSpec): string {
  if (spec.kind === 'choice') return spec.choices.join(', ')
  if (spec.kind === 'switch') return 'on, off'
  if (spec.kind === 'address') return 'host:port'
  if (spec.kind === 'text') return spec.placeholder.replaceAll('<', '&lt;')
  return `${formatOption(spec, spec.min)} to ${formatOption(spec, spec.max)}`
}
