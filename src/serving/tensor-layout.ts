import { tensorWidth, typeName } from '../domain/value-type.ts'
import type { LayoutColumn } from './layout.ts'

/** Where each column of the layout lies in a row of the float32 matrix. */
export interface TensorLayout {
  /** Floats in a row. */
  readonly width: number
  /** For each layout column, its first float; one more entry closes the last. */
  readonly starts: readonly number[]
}

/** The layout, or a problem that names every column without a numeric form. */
export function tensorLayout(columns: readonly LayoutColumn[]): TensorLayout | { readonly problem: string } {
  const starts = [0]
  for (const column of columns) starts.push(starts.at(-1)! + tensorWidth(column.type))
  const unfit = columns.filter((column) => tensorWidth(column.type) === 0)
  if (unfit.length === 0) return { width: starts.at(-1)!, starts }
  const names = unfit.map((column) => `${column.name} (${typeName(column.type)})`).join(', ')
  return { problem: `a TENSOR takes numbers, bools, timestamps and vectors only, which these are not: ${names}` }
}
