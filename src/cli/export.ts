import { Command } from 'commander'
import { parseRow, typedRow } from './assignments.ts'
import { addConnectionFlags, type ConnectionOptions, withClient } from './connection.ts'
import { countValue, timeOption } from './flag-values.ts'
import { print, printJson } from './output.ts'
import { fileFormat, refuseUnwritable, resumeOptions, saveDataset, savedLine } from './output-file.ts'
import { showProgress } from './progress.ts'
import { viewColumns } from './schema.ts'

interface ExportOptions extends ConnectionOptions {
  readonly out: string
  readonly format?: string
  readonly from?: string
  readonly until?: string
  readonly columns?: string
  readonly entity?: readonly string[]
  readonly tableVersion?: string
  readonly latest?: boolean
  readonly resume?: boolean
}

const HELP = `
Every row acknowledged before the command is in the file. The format is that of the file's extension: .parquet, .csv, .arrow.
A broken connection is made again and the rest asked for. What an interrupted command has got is in <file>.partial; --resume gets the
rest, at the table version it was begun with.

Examples:
  $ twinstore export airport_status --out status.csv
  $ twinstore export route_daily --out june.parquet --from 2001-06-01 --until 2001-07-01
  $ twinstore export airport_daily --out atl.csv --entity airport=ATL --entity airport=ORD --latest
  $ twinstore export predict_delay --out predict.parquet
  $ twinstore export route_daily --out routes.parquet --resume`

export function exportCommand(): Command {
  const command = new Command('export')
    .description('Export the offline history of a view, or of a feature service, to a file.')
    .argument('<source>', 'the feature view or feature service')
    .requiredOption('--out <file>', 'the file to write')
    .option('--format <format>', 'parquet, csv or arrow; by default what the extension says')
    .option('--from <time>', 'event timestamps from then on')
    .option('--until <time>', 'event timestamps before then')
    .option('--columns <names>', 'columns, separated by commas')
    .option('--entity <key...>', 'only this entity, for example airport=ATL; may be repeated')
    .option('--table-version <n>', 'the table at an earlier version')
    .option('--latest', 'only the newest row of each entity')
    .option('--resume', 'go on with what an interrupted run of this command left in <file>.partial')
    .addHelpText('after', HELP)
  return addConnectionFlags(command, '1h').action(runExport)
}

async function runExport(source: string, options: ExportOptions): Promise<void> {
  const format = fileFormat('--out', options.out, options.format)
  await refuseUnwritable('--out', options.out)
  const tableVersion =
    options.tableVersion === undefined ? undefined : countValue('--table-version', options.tableVersion, 0)
  const resuming = await resumeOptions(options.out, options.resume)
  const progress = showProgress(options.json === true)
  const done = await withClient(options, async (client, deadlineMs) => {
    const description = await client.describe()
    const isService = description.services.some((service) => service.name === source)
    const keys = options.entity && viewColumns(description, source).joinKeys
    const dataset = await client.exportFeatures({
      ...(isService ? { service: source } : { view: source }),
      format,
      deadlineMs,
      ...timeOption('from', '--from', options.from),
      ...timeOption('until', '--until', options.until),
      ...(options.columns ? { columns: options.columns.split(',') } : {}),
      ...(keys
        ? { entities: options.entity!.map((word) => typedRow(parseRow(word), keys, `the key of ${source}`)) }
        : {}),
      ...(tableVersion === undefined ? {} : { tableVersion }),
      ...(options.latest ? { latestOnly: true } : {}),
      ...resuming,
      onProgress: ({ step, fraction }) => progress.update(step, fraction),
    })
    return saveDataset(options.out, dataset, resuming.resume !== undefined)
  }).finally(() => progress.done())
  if (options.json) printJson({ file: options.out, ...done })
  else print(savedLine(options.out, done))
}
