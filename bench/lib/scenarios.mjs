/**
 * The scenarios there are: a module each in `bench/scenarios/`, named by its file. Each exports
 *
 *     title              what it measures, for a person
 *     suite              'long' if it is run only when asked for by name or with --all; the others are the suite
 *     figureNames        the figures that it brings, without the scenario's name
 *     figuresOfAnySign   those of them that may be zero or less, a pattern
 *     takesPeers         true if `measure` takes the servers given with `--peer`, and brings figures of them too
 *     measure({ quick, peers }) resolves to { settings, figures, head, rows, histograms, plots }
 *
 * `figures` are spreads by name, `head` and `rows` a table, `histograms` HDR histograms by name, and `plots` what the report
 * draws; the last two may be left out.
 */
import { readdirSync } from 'node:fs'

const FOLDER = new URL('../scenarios/', import.meta.url)

/** By name, in alphabetical order; `suite` and `figuresOfAnySign` are filled in. */
export async function loadScenarios() {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.mjs'))
  const scenarios = new Map()
  for (const file of files.sort()) {
    const module = await import(new URL(file, FOLDER).href)
    scenarios.set(file.slice(0, -'.mjs'.length), { suite: 'short', figuresOfAnySign: /^$/, ...module })
  }
  return scenarios
}
