/** Three significant digits, and whole numbers from a hundred on. */
export function numberText(value) {
  if (Number.isNaN(value)) return '-'
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return value.toPrecision(value < 0.01 ? 2 : 3)
}
