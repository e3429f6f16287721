/**
 * What changed between two runs.
 *
 *     node bench/report/compare.mjs <old.json> <new.json>            ratios only
 *     node bench/report/compare.mjs --all <old.json> <new.json>      times and other figures too
 *
 * A ratio was taken against a baseline in its own run, so that it can be compared with one of another day; a time cannot. `change` is new
 * over old, with the least and the greatest that the rounds of both allow. A figure has moved if no round of the one run lies within
 * the rounds of the other; of a figure with one round in both nothing can be said.
 */
import { parseArgs } from 'node:util'
import { readResults } from '../lib/results-file.mjs'
import { printTable } from '../lib/table.mjs'

const IS_RATIO = /(^|[._])ratio$/
const ONE_ROUND = 'one round'

const { values: flags, positionals } = parseArgs({ allowPositionals: true, options: { all: { type: 'boolean' } } })

try {
  main(positionals)
} catch (error) {
  console.error(error.message)
  process.exitCode = 2
}

function main(files) {
  if (files.length !== 2)
    throw new Error('which two results files? node bench/report/compare.mjs <old.json> <new.json>')
  const [before, after] = files.map(readResults)
  for (const [index, results] of [before, after].entries()) {
    if (results.quick) throw new Error(`${files[index]} is of a quick run, whose figures say nothing of speed`)
  }
  const [old, fresh] = [figuresOf(before), figuresOf(after)]
  const names = [...old.keys()].filter((name) => fresh.has(name) && (flags.all || IS_RATIO.test(name)))
  const rows = names.map((name) => row(name, old.get(name), fresh.get(name)))
  if (rows.length === 0) throw new Error('the two runs have no ratio in common')
  printTable(['figure', 'moved', 'old', 'new', 'change'], rows)
  const moved = rows.filter(([, mark]) => mark !== '' && mark !== ONE_ROUND).length
  console.log(`\n${moved} of ${rows.length} moved beyond the spread of both runs`)
  for (const [label, one, other] of [
    ['only in the old', old, fresh],
    ['only in the new', fresh, old],
  ]) {
    const alone = new Set([...one.keys()].filter((name) => !other.has(name)).map((name) => name.split('.')[0]))
    if (alone.size > 0) console.log(`${label}: figures of ${[...alone].join(', ')}`)
  }
}

/** Spreads by name, of those that are numbers. */
function figuresOf({ scenarios }) {
  const all = Object.entries(scenarios).flatMap(([scenario, { figures }]) =>
    Object.entries(figures).map(([name, spread]) => [`${scenario}.${name}`, spread]),
  )
  return new Map(all.filter(([, { median }]) => Number.isFinite(median) && median !== 0))
}

function row(name, old, fresh) {
  const change = { median: fresh.median / old.median, min: fresh.min / old.max, max: fresh.max / old.min }
  return [name, mark(old, fresh), old, fresh, change]
}

function mark(old, fresh) {
  if (old.min === old.max && fresh.min === fresh.max) return ONE_ROUND
  if (fresh.min > old.max) return 'UP'
  return fresh.max < old.min ? 'DOWN' : ''
}
