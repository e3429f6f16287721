/**
 * Ranks by Zipf's law: rank k of `count` comes with a frequency in proportion to 1 / k^exponent.
 *
 * The sums of the frequencies are a table, searched by bisection: exact for every exponent, below one as well as above, and for
 * 10,000 ranks some 14 steps. Rejection-inversion needs no table, and is worth its arithmetic only for many millions of ranks.
 */
const RANKS_MAX = 10_000_000

/** Gives a function from a number in [0, 1) to a rank, counted from 0. */
export function zipf(count, exponent) {
  if (!(count >= 1 && count <= RANKS_MAX)) throw new Error(`zipf: ${count} ranks; from 1 to ${RANKS_MAX} are possible`)
  if (!(exponent >= 0)) throw new Error(`zipf: the exponent is ${exponent}; it must be 0 or more`)
  const sums = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) {
    sum += (rank + 1) ** -exponent
    sums[rank] = sum
  }
  return (random) => firstAbove(sums, random * sum)
}

/** The first index whose value is greater. */
function firstAbove(sums, value) {
  let low = 0
  let high = sums.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sums[middle] > value) high = middle
    else low = middle + 1
  }
  return low
}
