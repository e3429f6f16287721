/** Axes that fit what is drawn: from where to where, with round numbers at the ticks. */
import { scaleLinear, scaleLog } from 'd3-scale'
import { axisNumber, axisTitle } from './chart-text.mjs'

const TICKS = 5
/** So many different places on an axis are each given their own tick. */
const PLACES_MAX = 8
/** Log ticks at 1, 2, 5 are too many over more decades than this; then they are at 1. */
const DECADES_DENSE = 2.6

/** From zero, unless logarithmic: the length of what is drawn then says how much it is. */
export function valueAxis(name, values) {
  const { label, log } = name
  const greatest = Math.max(...values)
  if (log && Math.min(...values) > 0) {
    const scale = scaleLog().domain(outward(Math.min(...values), greatest))
    return axis(label, true, scale.domain(), logTicks(scale))
  }
  const scale = scaleLinear()
    .domain([Math.min(0, ...values), greatest > 0 ? greatest : 1])
    .nice(TICKS)
  return axis(label, false, scale.domain(), scale.ticks(TICKS))
}

/** Along which something was varied: its ticks are at the values that were tried, if they are few. */
export function variedAxis(name, values) {
  const places = [...new Set(values)].sort((a, b) => a - b)
  const log = name.log === true && places[0] > 0
  const domain = places.length > 1 ? [log ? places[0] : Math.min(0, places[0]), places.at(-1)] : around(places[0], log)
  if (places.length <= PLACES_MAX) return axis(name.label, log, domain, places)
  const scale = (log ? scaleLog() : scaleLinear()).domain(domain)
  return axis(name.label, log, domain, log ? logTicks(scale) : scale.ticks(TICKS))
}

function axis(label, log, domain, ticks) {
  return { title: axisTitle({ label, log }), log, domain, ticks: ticks.map((at) => ({ at, text: axisNumber(at) })) }
}

function around(place, log) {
  return log ? [place / 2, place * 2] : [Math.min(0, place), Math.max(1, place * 2)]
}

/** To the next 1, 2 or 5 of a decade. */
function outward(least, greatest) {
  return [round(least, Math.floor, [5, 2, 1]), round(greatest, Math.ceil, [1, 2, 5, 10])]
}

function round(value, direction, steps) {
  const decade = 10 ** Math.floor(Math.log10(value))
  const fits = direction === Math.floor ? (step) => step * decade <= value : (step) => step * decade >= value
  return steps.find(fits) * decade
}

function logTicks(scale) {
  const [from, to] = scale.domain()
  const dense = Math.log10(to / from) <= DECADES_DENSE
  const leading = dense ? [1, 2, 5] : [1]
  return scale.ticks().filter((tick) => leading.includes(Math.round(tick / 10 ** Math.floor(Math.log10(tick) + 1e-9))))
}
