/**
 * Whether an answer is the right one: every feature of the service and nothing else, every value PRESENT and as it was seeded. A
 * server that is fast with wrong answers must not be compared.
 *
 * Feast's Python server says PRESENT of what is not there, with no value; so a status alone shows nothing.
 */
import { featureName, seededValue } from '../lib/matrix-data.mjs'

const JOIN_KEY = 'item'

/**
 * What is wrong, a text each. `columns`: `{ name, values, statuses }`, a value and a status (a name) per item; a value that is not
 * set is null. The join key may be among them or not: Feast's own servers differ in that.
 */
export function answerFaults(columns, { items, features }) {
  const byName = new Map(columns.map((column) => [column.name, column]))
  const names = Array.from({ length: features }, (_, feature) => featureName(feature))
  const expected = new Set([JOIN_KEY, ...names])
  const isTwice = (name, index) => columns.findIndex((column) => column.name === name) < index
  return [
    ...columns.filter(({ name }, index) => isTwice(name, index)).map(({ name }) => `column ${name} comes twice`),
    ...columns.filter(({ name }) => !expected.has(name)).map(({ name }) => `column ${name} was not asked for`),
    ...columnFaults(byName.get(JOIN_KEY) ?? null, items, (item) => item),
    ...names.flatMap((name, feature) =>
      byName.has(name)
        ? columnFaults(byName.get(name), items, (item) => seededValue(item, feature))
        : `no column ${name}`,
    ),
  ]
}

function columnFaults(column, items, valueFor) {
  if (column === null) return []
  const { name, values, statuses } = column
  for (const [what, list] of Object.entries({ values, statuses })) {
    if (list.length !== items.length) return [`column ${name} has ${list.length} ${what} for ${items.length} items`]
  }
  return items.flatMap((item, row) => {
    if (statuses[row] !== 'PRESENT') return `${name} of item ${item} is ${statuses[row]}`
    const right = valueFor(item)
    return isRight(values[row], right) ? [] : `${name} of item ${item} is ${values[row]}, not ${right}`
  })
}

/** Feast's Go server prints a float32 with as few digits as tell it from its neighbours: 158.21484 is 158.21484375. */
function isRight(value, right) {
  return typeof value === 'number' && Math.fround(value) === right
}
