/** A figure of a script that gives medians, or single runs, without their spread. */
export function single(value) {
  return { median: value, min: value, max: value }
}
