/** Places for labels that must not cover each other. */

/**
 * Moves positions apart until each is `gap` from the next, within `from` to `to`, and no further than needed: those that are too close
 * are put around their common middle. Keeps the order of the list that is given.
 */
export function spreadApart(wanted, gap, from, to) {
  const groups = wanted
    .map((position, index) => ({ indexes: [index], sum: position, position }))
    .sort((a, b) => a.position - b.position)
  for (let at = 0; at < groups.length; at++) {
    place(groups[at], gap, from, to)
    while (at > 0 && groups[at - 1].end + gap > groups[at].begin) {
      const [upper, lower] = groups.splice(at - 1, 2)
      groups.splice(at - 1, 0, { indexes: [...upper.indexes, ...lower.indexes], sum: upper.sum + lower.sum })
      at--
      place(groups[at], gap, from, to)
    }
  }
  const places = new Array(wanted.length)
  for (const { indexes, begin } of groups) {
    for (const [turn, index] of indexes.entries()) places[index] = begin + turn * gap
  }
  return places
}

function place(group, gap, from, to) {
  const length = (group.indexes.length - 1) * gap
  const begin = group.sum / group.indexes.length - length / 2
  group.begin = Math.max(from, Math.min(begin, to - length))
  group.end = group.begin + length
}
