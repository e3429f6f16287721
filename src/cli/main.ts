#!/usr/bin/env node
/** The `twinstore` command: parses the command line, runs one verb, and turns a failure into a message and an exit code. */
import { Command, CommanderError } from 'commander'
import { packageVersion } from '../config/package-version.ts'
import { asTwinstoreError } from '../domain/errors.ts'
import { applyCommand } from './apply.ts'
import { compactCommand } from './compact.ts'
import { EXIT_CODES, EXIT_CODES_HELP } from './exit-codes.ts'
import { exportCommand } from './export.ts'
import { getCommand } from './get.ts'
import { historyCommand } from './history.ts'
import { note } from './output.ts'
import { parityCommand } from './parity.ts'
import { planCommand } from './plan.ts'
import { serveCommand } from './serve.ts'
import { statsCommand } from './stats.ts'
import { statusCommand } from './status.ts'
import { syncCommand } from './sync.ts'
import { trainingSetCommand } from './training-set.ts'
import { writeCommand } from './write.ts'

const USAGE_ERROR = 2

function program(): Command {
  const root = new Command('twinstore')
    .description('Serves machine-learning features and keeps the online store and the offline history the same.')
    .version(packageVersion())
    .showHelpAfterError('(--help shows how to use it)')
    .addHelpText(
      'after',
      `
Examples:
  $ twinstore serve --definitions examples/flights
  $ twinstore get predict_delay origin=ATL,destination=ORD
  $ twinstore write airport_status airport=ATL closed=true expected_delay_minutes=45
  $ twinstore training-set predict_delay --spine flights.parquet --timestamp date --out train.parquet

${EXIT_CODES_HELP}`,
    )
  const commands = [
    serveCommand(),
    applyCommand(),
    planCommand(),
    syncCommand(),
    getCommand(),
    writeCommand(),
    exportCommand(),
    trainingSetCommand(),
    historyCommand(),
    compactCommand(),
    parityCommand(),
    statsCommand(),
    statusCommand(),
  ]
  for (const command of commands) root.addCommand(command)
  for (const command of [root, ...commands]) command.exitOverride()
  return root
}

// Who reads the output may stop before its end, as `head` does. A server goes on, and a command has nobody left to tell.
process.stdout.on('error', (error) => {
  if (!('code' in error) || error.code !== 'EPIPE') throw error
})

try {
  await program().parseAsync(process.argv)
} catch (error) {
  process.exitCode = report(error)
}

function report(error: unknown): number {
  // Commander has printed its own message, and ends `--help` and `--version` this way too.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_ERROR
  const known = asTwinstoreError(error)
  note(`error: ${known.message}`)
  // A fault of this program needs its stack; one that a server reported is in the server's log.
  if (known !== error && known.cause instanceof Error) note(known.cause.stack ?? '')
  return EXIT_CODES[known.code]
}
