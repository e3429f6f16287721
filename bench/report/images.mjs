/**
 * Copies plots of a run, light and dark, to where the README shows them from.
 *
 *     node bench/report/images.mjs <results.json>                  names the plots there are
 *     node bench/report/images.mjs <results.json> <plot>...        copies these to docs/images/
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { readResults } from '../lib/results-file.mjs'
import { plotImage } from './image.mjs'
import { THEMES } from './palette.mjs'
import { plotId } from './plot-id.mjs'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { to: { type: 'string' } } })
const [file, ...wanted] = positionals
const folder = values.to ?? fileURLToPath(new URL('../../docs/images', import.meta.url))

try {
  copy()
} catch (error) {
  console.error(error.message)
  process.exitCode = 2
}

function copy() {
  if (file === undefined) throw new Error('which results file? node bench/report/images.mjs bench/results/<run>.json')
  const plots = plotsOf(readResults(file))
  if (wanted.length === 0) {
    console.log([...plots.keys()].join('\n'))
    return
  }
  const unknown = wanted.filter((id) => !plots.has(id))
  if (unknown.length > 0) throw new Error(`no plot ${unknown.join(', ')}; there are ${[...plots.keys()].join(', ')}`)
  mkdirSync(folder, { recursive: true })
  for (const id of wanted) {
    for (const theme of Object.keys(THEMES)) {
      const image = `${folder}/${id}-${theme}.png`
      writeFileSync(image, plotImage(plots.get(id), theme))
      console.log(image)
    }
  }
}

function plotsOf({ scenarios }) {
  return new Map(
    Object.entries(scenarios).flatMap(([name, { plots }]) => plots.map((plot) => [plotId(name, plot), plot])),
  )
}
