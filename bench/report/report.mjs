/**
 * The report of a run, beside its results file: `<name>.html`, and every plot as PNG, light and dark, in the folder `<name>.images/`.
 *
 *     node bench/report/report.mjs <results.json>      `npm run bench` does this at its end
 */
import { mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join, parse } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readResults } from '../lib/results-file.mjs'
import { plotImage } from './image.mjs'
import { reportPage } from './page.mjs'
import { THEMES } from './palette.mjs'
import { plotId } from './plot-id.mjs'

/** Paths of the page and of the images. */
export function writeReport(file) {
  const results = readResults(file)
  const { dir, name } = parse(file)
  const page = join(dir, `${name}.html`)
  writeFileSync(page, reportPage(results))
  return { page, images: writeImages(results, join(dir, `${name}.images`)) }
}

function writeImages({ scenarios }, folder) {
  // Those of an earlier report may be of plots that there are no more.
  rmSync(folder, { recursive: true, force: true })
  const plots = Object.entries(scenarios).flatMap(([name, { plots: own }]) =>
    own.map((plot) => [plotId(name, plot), plot]),
  )
  if (plots.length === 0) return []
  mkdirSync(folder, { recursive: true })
  return plots.flatMap(([id, plot]) =>
    Object.keys(THEMES).map((theme) => {
      const image = join(folder, `${id}-${theme}.png`)
      writeFileSync(image, plotImage(plot, theme))
      return image
    }),
  )
}

function main(file) {
  if (file === undefined) throw new Error('which results file? node bench/report/report.mjs bench/results/<run>.json')
  const { page, images } = writeReport(file)
  console.log([page, ...images].join('\n'))
}

if (realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    main(process.argv[2])
  } catch (error) {
    console.error(error.message)
    process.exitCode = 2
  }
}
