import { createReadStream, existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { Command } from 'commander'
import type { TrainingSetOptions as ClientTrainingSetOptions } from '../client/index.ts'
import { TwinstoreError } from '../domain/errors.ts'
import { addConnectionFlags, type ConnectionOptions, withClient } from './connection.ts'
import { note, print, printJson } from './output.ts'
import { fileFormat, refuseUnwritable, resumeOptions, saveDataset, savedLine } from './output-file.ts'
import { showProgress } from './progress.ts'

interface TrainingSetOptions extends ConnectionOptions {
  readonly spine: string
  readonly timestamp: string
  readonly out: string
  readonly format?: string
  readonly asServed?: boolean
  readonly pin?: string
  readonly resume?: boolean
}

const HELP = `
The spine is a file with the service's join keys and a timestamp column; its other columns are carried through, and its order is
kept. A name that is no file here is looked for among the source files of the definitions. The pin written beside the output
(<out>.pin.json) reproduces the same bytes from the same spine later: give it with --pin. The manifest (<out>.manifest.json) is
for an experiment tracker: the pin, and of each feature how often it was null, missing, stale or its default.

Examples:
  $ twinstore training-set predict_delay --spine flights.parquet --timestamp date --out train.parquet
  $ twinstore training-set predict_delay --spine flights.parquet --timestamp date --out again.parquet --pin train.parquet.pin.json
  $ twinstore training-set predict_delay --spine labels.csv --timestamp at --out train.csv --as-served`

export function trainingSetCommand(): Command {
  const command = new Command('training-set')
    .description('Make a point-in-time correct training set for a spine.')
    .argument('<service>', 'the feature service')
    .requiredOption('--spine <file>', 'Parquet, CSV or Arrow file with the rows that features are wanted for')
    .requiredOption('--timestamp <column>', "the spine's timestamp column")
    .requiredOption('--out <file>', 'the file to write')
    .option('--format <format>', 'parquet, csv or arrow; by default what the extension of --out says')
    .option('--as-served', 'only what had been recorded by the timestamp: what the online store would have answered')
    .option('--pin <file>', 'a pin or manifest of an earlier training set, to make the same bytes again')
    .option('--resume', 'go on with what an interrupted run of this command left in <file>.partial')
    .addHelpText('after', HELP)
  return addConnectionFlags(command, '1h').action(run)
}

async function run(service: string, options: TrainingSetOptions): Promise<void> {
  const format = fileFormat('--out', options.out, options.format)
  await refuseUnwritable('--out', options.out)
  const pinJson = options.pin === undefined ? undefined : await readPin(options.pin)
  const spine = spineOf(options.spine)
  const resuming = await resumeOptions(options.out, options.resume)
  const progress = showProgress(options.json === true)
  const done = await withClient(options, async (client, deadlineMs) => {
    const dataset = await client.trainingSet({
      service,
      ...spine,
      timestampColumn: options.timestamp,
      mode: options.asServed ? 'AS_SERVED' : 'EVENT_TIME',
      format,
      deadlineMs,
      ...(pinJson === undefined ? {} : { pinJson }),
      ...resuming,
      onProgress: ({ step, fraction }) => progress.update(step, fraction),
    })
    return saveDataset(options.out, dataset, resuming.resume !== undefined)
  }).finally(() => progress.done())
  const pinFile = `${options.out}.pin.json`
  const manifestFile = `${options.out}.manifest.json`
  await writeJson(pinFile, done.pinJson)
  await writeJson(manifestFile, done.manifestJson)
  const { rows, bytes, sha256 } = done
  if (options.json) printJson({ file: options.out, pinFile, manifestFile, rows, bytes, sha256 })
  else {
    print(savedLine(options.out, done))
    print(`${pinFile}: gives the same bytes again, with --pin`)
    print(`${manifestFile}: what an experiment tracker should log`)
  }
}

async function writeJson(path: string, json: string | undefined): Promise<void> {
  await writeFile(path, `${JSON.stringify(JSON.parse(json ?? '{}'), undefined, 2)}\n`)
}

/** A file here is sent; any other name is one the server's definitions know. */
function spineOf(path: string): Pick<ClientTrainingSetOptions, 'spine' | 'spineFormat'> {
  if (existsSync(path)) return { spine: createReadStream(path), spineFormat: fileFormat('--spine', path, undefined) }
  if (basename(path) !== path) throw new TwinstoreError('NOT_FOUND', `--spine: there is no file ${path}`)
  note(`no file ${path} here; asking the server for its source file of that name`)
  return { spine: { source: path } }
}

async function readPin(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new TwinstoreError(
      'NOT_FOUND',
      `--pin: ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}
