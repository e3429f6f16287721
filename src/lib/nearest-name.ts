/**
 * The known name nearest to one that somebody mistyped, by Damerau-Levenshtein distance (insert, delete, replace, swap of
 * neighbours). Only a name within a third of its length counts as near: a wild guess helps nobody.
 */

/** Longer names are not compared: the cost is length x length for each candidate, and input may come from a client. */
const NAME_LENGTH_MAX = 128
/** Known names that a message lists. */
const LISTED_NAMES_MAX = 20

/** Undefined if nothing is near. Of equally near candidates the first wins. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > NAME_LENGTH_MAX) return undefined
  let nearest: string | undefined
  let nearestDistance = Math.max(1, Math.floor(name.length / 3)) + 1
  for (const candidate of candidates) {
    if (candidate === name || Math.abs(candidate.length - name.length) >= nearestDistance) continue
    const distance = editDistance(name, candidate)
    if (distance < nearestDistance) {
      nearest = candidate
      nearestDistance = distance
    }
  }
  return nearest
}

/** The end of a message about an unknown name: `; did you mean mean_delay?`, or nothing. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const nearest = nearestName(name, candidates)
  return nearest === undefined ? '' : `; did you mean ${nearest}?`
}

/** Longer names are cut in messages: they come from requests. */
const SHOWN_LENGTH_MAX = 100

/** A name from a request as messages show it: quoted, control characters escaped, cut where it is long. */
export function quotedName(name: string): string {
  return JSON.stringify(name.length > SHOWN_LENGTH_MAX ? `${name.slice(0, SHOWN_LENGTH_MAX)}...` : name)
}

/** The end of a message about an unknown name: the nearest known one, or some of the known names where none is near. */
export function knownNames(name: string, known: readonly string[]): string {
  const nearest = didYouMean(name, known)
  if (nearest !== '' || known.length === 0) return nearest
  const rest = known.length > LISTED_NAMES_MAX ? ', ...' : ''
  return `; known are ${known.slice(0, LISTED_NAMES_MAX).join(', ')}${rest}`
}

function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) cost = Math.min(cost, beforeLast[j - 2]! + 1)
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}
