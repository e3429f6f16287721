/** What the rounds of Feast's matrix come to: figures, a table, and plots against rows and against features. */
import { newHistogram } from '../load/tally.mjs'
import { spread } from './spread.mjs'

/** The figures of a shape of load: one request at a time, eight, and a fixed pace. */
const SHAPES = {
  '': ['p50_ms', 'p99_ms', 'calls_per_s'],
  '8-in-flight.': ['p99_ms', 'calls_per_s'],
  'open.': ['p50_ms', 'p99_ms'],
}
const LABELS = { '': 'one at a time', '8-in-flight.': '8 at a time', 'open.': 'at a fixed pace' }
const BASELINE = 'static'
/** A peer is compared with these too. */
const OURS = ['twinstore', 'fresh']

/** What `add` makes of a cell and shape without peers. */
export function matrixFigureNames(cell, shape) {
  const of = (contender, suffix) =>
    SHAPES[shape].map((figure) => `${cell.name}.${shape}${contender}.${figure}${suffix}`)
  return [...of(BASELINE, ''), ...OURS.flatMap((name) => [...of(name, ''), ...of(name, '_ratio')])]
}

export class MatrixResults {
  #names
  #figures = {}
  #rows = []
  #histograms = {}
  #cells = []

  /** `names` of the contenders. */
  constructor(names) {
    this.#names = names
  }

  /** `rounds`: by contender the figures of the shape and a `histogram`. */
  add(cell, shape, rounds) {
    if (shape === '') this.#cells.push(cell)
    for (const name of this.#names) {
      const prefix = `${cell.name}.${shape}${name}.`
      for (const figure of SHAPES[shape]) this.#addFigure(rounds, { prefix, name, figure })
      this.#addRow(cell, { shape, name, prefix })
      if (shape === '') continue
      const histogram = newHistogram()
      for (const round of rounds) histogram.add(round[name].histogram)
      this.#histograms[prefix.slice(0, -1)] = histogram
    }
  }

  /** Compared by median time; where calls wait for each other, by calls per second. */
  #addRow({ rows, features }, { shape, name, prefix }) {
    const label = name === BASELINE ? `${rows} x ${features}, ${LABELS[shape]}` : ''
    const compared = shape === '8-in-flight.' ? 'calls_per_s' : 'p50_ms'
    const ratios = ['ratio', ...OURS.map((our) => `of_${our}`)].map((of) => `${compared}_${of}`)
    const columns = ['p50_ms', 'p99_ms', 'calls_per_s', ...ratios]
    this.#rows.push([label, name, ...columns.map((figure) => this.#figures[`${prefix}${figure}`])])
  }

  #addFigure(rounds, { prefix, name, figure }) {
    const over = (other) => spread(rounds.map((round) => round[name][figure] / round[other][figure]))
    this.#figures[`${prefix}${figure}`] = spread(rounds.map((round) => round[name][figure]))
    if (name !== BASELINE) this.#figures[`${prefix}${figure}_ratio`] = over(BASELINE)
    if (name === BASELINE || OURS.includes(name)) return
    for (const our of OURS) this.#figures[`${prefix}${figure}_of_${our}`] = over(our)
  }

  report() {
    const head = ['rows x features', 'server', 'p50 ms', 'p99 ms', 'calls/s', 'to static', 'to twinstore', 'to fresh']
    return { figures: this.#figures, head, rows: this.#rows, histograms: this.#histograms, plots: this.#plots() }
  }

  #plots() {
    const lines = ['p50', 'p99'].flatMap((percentile) => [
      this.#lines(`50 features, ${percentile} against rows`, {
        percentile,
        of: 'rows',
        isOn: ({ features }) => features === 50,
      }),
      this.#lines(`1 row, ${percentile} against features`, {
        percentile,
        of: 'features',
        isOn: ({ rows }) => rows === 1,
      }),
    ])
    const paced = this.#cells.filter(({ name }) => this.#histograms[`${name}.open.${BASELINE}`] !== undefined)
    const percentiles = paced.map(({ name, rows, features }) => ({
      title: `${rows} x ${features}, latency at the same fixed pace`,
      kind: 'percentiles',
      series: this.#names.map((each) => ({ ...seriesOf(each), histogram: this.#histograms[`${name}.open.${each}`] })),
    }))
    return [...lines, ...percentiles]
  }

  #lines(title, { percentile, of, isOn }) {
    const cells = this.#cells.filter(isOn)
    const series = this.#names.map((name) => ({
      ...seriesOf(name),
      points: cells.map((cell) => {
        const { median, min, max } = this.#figures[`${cell.name}.${name}.${percentile}_ms`]
        return [cell[of], median, min, max]
      }),
    }))
    return { title, kind: 'lines', x: { label: of }, y: { label: 'ms', log: true }, series }
  }
}

function seriesOf(name) {
  return name === BASELINE ? { name, baseline: true } : { name }
}
