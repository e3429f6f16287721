/** Aligned columns for people. A cell is a text or a spread, which prints as its median with the least and greatest. */
import { numberText } from './number-text.mjs'

const LABELS = 2

/** The first two columns are labels. */
export function printTable(head, rows) {
  const cells = [head, ...rows].map((row) => head.map((_, column) => text(row[column])))
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column].length)))
  for (const row of cells) {
    const line = row.map((cell, column) =>
      column < LABELS ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
    )
    console.log(`  ${line.join('  ').trimEnd()}`)
  }
}

function text(cell) {
  if (cell === undefined) return ''
  if (typeof cell === 'string') return cell
  return cell.min === cell.max
    ? numberText(cell.median)
    : `${numberText(cell.median)} (${numberText(cell.min)}-${numberText(cell.max)})`
}
