import { Command } from 'commander'
import { loadServer } from './load-server.ts'
import { addOptionFlags, commandConfig } from './option-flags.ts'
import { print, printJson } from './output.ts'

const HELP = `
Validates everything at once, refuses a breaking change unless the view's version is raised, and stores an immutable snapshot
beside the offline store. A running server takes it up at its next start.

Examples:
  $ twinstore apply --definitions ./features
  $ twinstore apply --definitions ./features --data-dir /var/lib/twinstore --json
  $ twinstore apply --definitions ./features --offline s3://features/twinstore --s3-region eu-central-1`

export function applyCommand(): Command {
  const command = new Command('apply').description('Validate and store feature definitions.').addHelpText('after', HELP)
  addOptionFlags(command, [
    'definitions',
    'data-dir',
    'offline',
    's3-endpoint',
    's3-region',
    's3-path-style',
    'project',
  ])
  return command
    .option('--json', 'print JSON for machines')
    .action(async ({ json, ...flags }: Record<string, unknown>) => {
      const config = commandConfig(flags)
      const { applyOnce } = await loadServer()
      const applied = await applyOnce(config)
      if (json === true) printJson(applied)
      else {
        for (const change of applied.changes) print(change)
        const outcome = applied.changes.length === 0 ? 'nothing has changed since' : 'applied'
        print(`${outcome} definitions ${applied.fingerprint}`)
      }
    })
}
