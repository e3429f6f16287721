/** What the rounds of a subject and its baseline come to: the spread of every figure of each, and of their ratio. */
import { spread } from './spread.mjs'

export function compare(rounds, subject, baseline) {
  const ofSubject = summary(rounds.map((round) => round[subject]))
  const ofBaseline = summary(rounds.map((round) => round[baseline]))
  // The ratio is taken within each round, before the rounds are put together.
  const ratio = summary(rounds.map((round) => ratios(round[subject], round[baseline])))
  return {
    /** Three lines of a table. */
    rows: (label, columns) => [
      [label, subject, ...columns.map((column) => ofSubject[column])],
      ['', baseline, ...columns.map((column) => ofBaseline[column])],
      ['', 'ratio', ...columns.map((column) => ratio[column])],
    ],
    /** `p50_ms` of the subject, `static_p50_ms` of a baseline `static`, and `p50_ms_ratio`. */
    figures: (prefix) => ({
      ...renamed(ofSubject, (name) => `${prefix}${name}`),
      ...renamed(ofBaseline, (name) => `${prefix}${baseline}_${name}`),
      ...renamed(ratio, (name) => `${prefix}${name}_ratio`),
    }),
  }
}

function summary(list) {
  return Object.fromEntries(Object.keys(list[0]).map((name) => [name, spread(list.map((each) => each[name]))]))
}

function ratios(subject, baseline) {
  return Object.fromEntries(Object.entries(subject).map(([name, value]) => [name, value / baseline[name]]))
}

function renamed(figures, rename) {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [rename(name), value]))
}
