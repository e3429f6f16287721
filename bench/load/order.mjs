/** Which of the prepared requests comes next. */
import { seededRandom } from './seeded-random.mjs'
import { zipf } from './zipf.mjs'

/**
 * `order`: { kind: 'inTurn', from } | { kind: 'uniform', seed } | { kind: 'zipf', exponent, seed, drawSeed }. Gives a function to an index.
 *
 * `from` (0) is the first index. With a `drawSeed` the same requests are the hot ones, and are drawn in another order: a second
 * run that drew as the first did would find in a cache just what that one had missed.
 */
export function nextIndex(order, count) {
  if (order.kind === 'inTurn') return inTurn(count, order.from)
  const random = seededRandom(order.seed, 'order')
  if (order.kind === 'uniform') return () => Math.floor(random() * count)
  if (order.kind === 'zipf') {
    const rank = zipf(count, order.exponent)
    const places = scrambled(count, random)
    const draw = order.drawSeed === undefined ? random : seededRandom(order.drawSeed, 'draws')
    return () => places[rank(draw())]
  }
  throw new Error(`no order ${order.kind}; there are inTurn, uniform and zipf`)
}

function inTurn(count, from = 0) {
  let turn = from - 1
  return () => {
    turn = turn + 1 === count ? 0 : turn + 1
    return turn
  }
}

/** The hottest requests are then not neighbours, which a batch of keys or a shard might have in common. */
function scrambled(count, random) {
  const places = Uint32Array.from({ length: count }, (_, index) => index)
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const place = places[last]
    places[last] = places[other]
    places[other] = place
  }
  return places
}

/** One of the kinds of a mix, each by its share. */
export function nextKind(kinds, seed) {
  if (kinds.length === 1) return () => kinds[0]
  const random = seededRandom(seed, 'kinds')
  const sum = kinds.reduce((total, { share }) => total + share, 0)
  return () => {
    let rest = random() * sum
    for (const kind of kinds) {
      rest -= kind.share
      if (rest < 0) return kind
    }
    return kinds.at(-1)
  }
}
