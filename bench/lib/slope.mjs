/**
 * How fast something grows: the slope of the line with the least squares, and the interval in which the true slope lies in 95 of
 * a hundred cases if what is left beside the line is noise without memory.
 */

/** Student's t for 95 %, two-sided; from the last one on for all larger counts. */
const T_95 = new Map([
  [1, 12.71],
  [2, 4.3],
  [3, 3.18],
  [5, 2.57],
  [10, 2.23],
  [20, 2.09],
  [60, 2.0],
  [Number.POSITIVE_INFINITY, 1.96],
])

/** `points`: pairs of x and y, three at least. In units of y per unit of x. */
export function slopeOf(points) {
  const count = points.length
  if (count < 3) throw new Error(`a slope of ${count} points has no interval`)
  const meanX = mean(points.map(([x]) => x))
  const meanY = mean(points.map(([, y]) => y))
  const spreadX = sum(points.map(([x]) => (x - meanX) ** 2))
  const slope = sum(points.map(([x, y]) => (x - meanX) * (y - meanY))) / spreadX
  const rest = sum(points.map(([x, y]) => (y - meanY - slope * (x - meanX)) ** 2))
  const half = studentT(count - 2) * Math.sqrt(rest / (count - 2) / spreadX)
  return { slope, low: slope - half, high: slope + half }
}

/** That of the next smaller number of degrees of freedom in the table, whose interval is no narrower. */
function studentT(freedom) {
  return [...T_95].findLast(([from]) => from <= freedom)[1]
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0)
}

function mean(values) {
  return sum(values) / values.length
}
