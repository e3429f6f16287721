/**
 * An on-demand view as a DuckDB scalar function, so that its values are computed where the joined rows are.
 *
 * DuckDB's threads hand over vectors of up to 2048 rows and wait for this thread; measured on 3 M rows with four inputs the
 * calls cost 0.55 s, where reading the inputs out, appending the results to a table and joining it back by position
 * took 0.77 s and needed the rows in order. The value of each row comes from `evaluate` (G6).
 *
 * An int64 and a timestamp (as seconds) come in as DOUBLE: no BigInt per value, and an integer beyond 2^53 is still
 * beyond 2^53 after rounding, so that `toComputeValue` refuses it.
 */
import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DOUBLE,
  DuckDBBlobValue,
  type DuckDBDataChunk,
  type DuckDBListValue,
  DuckDBScalarFunction,
  type DuckDBStructVector,
  type DuckDBType,
  type DuckDBValue,
  type DuckDBVector,
  FLOAT,
  INTEGER,
  LIST,
  STRUCT,
  TIMESTAMPTZ,
  VARCHAR,
} from '@duckdb/node-api'
import { asTwinstoreError, TwinstoreError } from '../../domain/errors.ts'
import { evaluate, toComputeValue } from '../../domain/on-demand.ts'
import type { Compute, ComputeInput, Feature } from '../../domain/registry.ts'
import type { FeatureValue, ScalarValue } from '../../domain/value-codec.ts'
import type { ScalarType, ValueType } from '../../domain/value-type.ts'
import { toDuckdb } from './duckdb-values.ts'
import type { Session } from './session.ts'
import type { OnDemandCall } from './training-set-plan.ts'

/** One argument of the function: a feature under the name of its input (`request` for request features). */
interface Argument {
  readonly group: string
  readonly feature: Feature
}

export interface OnDemandFunction {
  /** The call, from an expression for each input feature (in order) and each request feature; a STRUCT `o0`, `o1`, ... */
  callSql(inputs: readonly (readonly string[])[], request: readonly string[]): string
  /** What a computation threw, with the row of the spine it threw at. */
  readonly failure: TwinstoreError | undefined
  /** For each feature of the view, how many values so far were not null. */
  readonly valueCounts: readonly number[]
}

export function registerOnDemand(session: Session, call: OnDemandCall, compute: Compute): OnDemandFunction {
  const groups: Argument[][] = [
    ...call.inputs.map(({ as, features }) => features.map(({ feature }) => ({ group: as, feature }))),
    call.view.request.map((feature) => ({ group: 'request', feature })),
  ]
  const args = groups.flat()
  const name = `on_demand_${call.index}`
  let failure: TwinstoreError | undefined
  const valueCounts = call.view.features.map(() => 0)
  const input = inputReader([...call.inputs.map(({ as }) => as), 'request'], groups)

  const computeChunk = (chunk: DuckDBDataChunk, output: DuckDBStructVector) => {
    input.begin(chunk)
    const outputs = call.view.features.map((_, index) => output.entryVectorAt(index))
    const rows = chunk.rowCount
    for (let row = 0; row < rows; row++) {
      try {
        const values = evaluate(call.view, compute, input.read(row))
        for (let index = 0; index < outputs.length; index++) {
          if (values[index] !== null) valueCounts[index]!++
          outputs[index]!.setItem(row, toDuckdb(call.view.features[index]!.type, values[index]))
        }
      } catch (error) {
        throw atSpineRow(error, chunk.getColumnVector(0).getItem(row))
      }
    }
    output.flush()
  }

  session.connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name,
      parameterTypes: [BIGINT, ...args.map((argument) => argumentType(argument.feature.type))],
      returnType: STRUCT(
        Object.fromEntries(call.view.features.map((feature, index) => [`o${index}`, outputType(feature.type)])),
      ),
      // Without it DuckDB would answer null for a row with any null input.
      specialHandling: true,
      mainFunction: (_, chunk, output) => {
        try {
          computeChunk(chunk, output as unknown as DuckDBStructVector)
        } catch (error) {
          failure ??= asTwinstoreError(error)
          throw error
        }
      },
    }),
  )
  return {
    callSql(inputs, request) {
      const values = [...inputs.flat(), ...request].map((sql, index) => argumentSql(args[index]!.feature.type, sql))
      return `${name}(${['s.spine_row', ...values].join(', ')})`
    },
    get failure() {
      return failure
    },
    valueCounts,
  }
}

interface InputReader {
  /** The chunk whose rows are read next; its first column is the row number. */
  begin(chunk: DuckDBDataChunk): void
  /** A row of the chunk as what `compute` is given; good until the next one is read. */
  read(row: number): ComputeInput
}

/**
 * One object serves all rows, and a feature is read when the computation asks for it: of the 14 features of three inputs a
 * formula uses perhaps four, and the rest need not become JavaScript values for each of 3 M rows, nor their vectors be
 * wrapped for each of 1,500 chunks (which was 0.8 s of collecting garbage). A value that may be refused (an int64 beyond 2^53)
 * is read at once, so that a computation fails here where it fails online.
 */
function inputReader(names: readonly string[], groups: readonly (readonly Argument[])[]): InputReader {
  const input: Record<string, Readonly<Record<string, unknown>>> = {}
  const columns: ArgumentColumn[] = []
  let current = 0
  groups.forEach((group, index) => {
    const values: Record<string, unknown> = {}
    for (const { feature } of group) {
      const column = new ArgumentColumn(columns.length + 1, feature.type)
      columns.push(column)
      Object.defineProperty(values, feature.name, { enumerable: true, get: () => column.read(current) })
    }
    input[names[index]!] = values
  })
  const refusable = columns.filter((column) => isRefusable(column.type))
  return {
    begin(chunk) {
      for (const column of columns) column.begin(chunk)
    },
    read(row) {
      current = row
      for (const column of refusable) column.read(row)
      return input
    },
  }
}

class ArgumentColumn {
  readonly type: ValueType
  readonly #index: number
  #chunk: DuckDBDataChunk | undefined
  #read: ((row: number) => unknown) | undefined

  constructor(index: number, type: ValueType) {
    this.#index = index
    this.type = type
  }

  begin(chunk: DuckDBDataChunk): void {
    this.#chunk = chunk
    this.#read = undefined
  }

  read(row: number): unknown {
    this.#read ??= valueReader(this.type, this.#chunk!.getColumnVector(this.#index))
    return this.#read(row)
  }
}

function isRefusable(type: ValueType): boolean {
  return type.kind === 'int64' || (type.kind === 'list' && type.of === 'int64')
}

/** These are the same in a vector, as a feature value and in a computation. */
const PLAIN_KINDS: readonly string[] = ['bool', 'int32', 'float', 'double', 'string']

function valueReader(type: ValueType, vector: DuckDBVector): (row: number) => unknown {
  if (PLAIN_KINDS.includes(type.kind)) return (row) => vector.getItem(row)
  return (row) => {
    const value = vector.getItem(row)
    return value === null ? null : toComputeValue(type, fromArgument(value))
  }
}

function fromArgument(value: DuckDBValue): FeatureValue {
  if (value instanceof DuckDBBlobValue) return value.bytes
  if (typeof value === 'object' && value !== null && 'items' in value) {
    return (value as DuckDBListValue).items.map((item) => fromArgument(item) as ScalarValue)
  }
  return value as FeatureValue
}

function argumentType(type: ValueType): DuckDBType {
  if (type.kind === 'vector') return LIST(FLOAT)
  if (type.kind === 'list') return LIST(argumentType({ kind: type.of }))
  return type.kind === 'int64' || type.kind === 'timestamp' ? DOUBLE : SCALAR_TYPE[type.kind]
}

function argumentSql(type: ValueType, sql: string): string {
  if (type.kind === 'vector') return sql
  if (type.kind === 'list') return `list_transform(${sql}, lambda item: ${argumentSql({ kind: type.of }, 'item')})`
  if (type.kind === 'int64') return `CAST(${sql} AS DOUBLE)`
  return type.kind === 'timestamp' ? `CAST(epoch_us(${sql}) // 1000000 AS DOUBLE)` : sql
}

function outputType(type: ValueType): DuckDBType {
  if (type.kind === 'vector') return LIST(FLOAT)
  return type.kind === 'list' ? LIST(SCALAR_TYPE[type.of]) : SCALAR_TYPE[type.kind]
}

const SCALAR_TYPE: Readonly<Record<ScalarType, DuckDBType>> = {
  bool: BOOLEAN,
  int32: INTEGER,
  int64: BIGINT,
  float: FLOAT,
  double: DOUBLE,
  string: VARCHAR,
  bytes: BLOB,
  timestamp: TIMESTAMPTZ,
}

function atSpineRow(error: unknown, row: DuckDBValue): TwinstoreError {
  const known = asTwinstoreError(error)
  return new TwinstoreError(known.code, `spine row ${Number(row) + 1}: ${known.message}`, { cause: error })
}
