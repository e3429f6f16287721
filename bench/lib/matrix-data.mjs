/**
 * The rows of Feast's benchmark matrix, and who asks for which: 25 views of ten features under one int64 entity, and services of
 * the first 5, 10, 15, 20 and 25 views (`definitions/matrix.ts` for Twinstore, `peers/feast/prepare.py` for Feast).
 */
import { seededRandom } from '../load/seeded-random.mjs'

const FEATURES_PER_VIEW = 10
const VIEWS = 25
const ROW_COUNTS = [1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
const FEATURE_COUNTS = [50, 100, 150, 200, 250]
/** What the matrix varies: rows with 50 features, then features of one row. */
export const CELLS = [
  ...ROW_COUNTS.map((rows) => ({ name: `${rows}x50`, rows, features: 50 })),
  ...FEATURE_COUNTS.slice(1).map((features) => ({ name: `1x${features}`, rows: 1, features })),
]
/** As many as `prepare.py` makes unless told otherwise; all of them fit into L1. */
export const ITEMS = 1000

export const serviceOf = (featureCount) => `matrix_${featureCount}`
export const featureName = (feature) => `feature_${feature}`

/** A multiple of 1/256 below 256: exact as a float32 and as JSON, so that an answer is compared without a tolerance. */
export const seededValue = (item, feature) => ((item * 40503 + feature * 30011) % 65536) / 256

/** Items 1 to `count`, a list of rows per view. */
export function matrixRows(count) {
  return Array.from({ length: VIEWS }, (_, view) => ({
    view: `view_${view}`,
    rows: Array.from({ length: count }, (_, index) => {
      const features = Array.from({ length: FEATURES_PER_VIEW }, (_, offset) => view * FEATURES_PER_VIEW + offset)
      return {
        item: BigInt(index + 1),
        ...Object.fromEntries(features.map((feature) => [featureName(feature), seededValue(index + 1, feature)])),
      }
    }),
  }))
}

/** `lists` lists of `length` different items each, uniformly of all, the same for the same seed. */
export function itemLists({ lists, length, items, seed }) {
  if (length > items) throw new Error(`${length} different items of ${items}`)
  const random = seededRandom(seed)
  return Array.from({ length: lists }, () => {
    const chosen = new Set()
    while (chosen.size < length) chosen.add(1 + Math.floor(random() * items))
    return [...chosen]
  })
}
