/** The applied definitions as a server describes them to clients. */
export interface ColumnSchema {
  readonly name: string
  /** `bool`, `int32`, `int64`, `float`, `double`, `string`, `bytes`, `timestamp`, `list<T>` or `vector<N>`. */
  readonly type: string
}

export interface Description {
  readonly project: string
  readonly fingerprint: string
  readonly views: readonly ViewDescription[]
  readonly services: readonly ServiceDescription[]
  readonly onDemandViews: readonly OnDemandDescription[]
}

export interface ViewDescription {
  readonly name: string
  readonly version: number
  readonly joinKeys: readonly ColumnSchema[]
  readonly features: readonly ColumnSchema[]
  /** 0: values never expire. */
  readonly ttlSeconds: number
  readonly onStale: string
  readonly hasSource: boolean
  readonly description: string
}

export interface ServiceDescription {
  readonly name: string
  readonly entityColumns: readonly ColumnSchema[]
  readonly requestColumns: readonly ColumnSchema[]
  readonly features: readonly ColumnSchema[]
  readonly description: string
}

export interface OnDemandDescription {
  readonly name: string
  readonly inputs: readonly string[]
  readonly request: readonly ColumnSchema[]
  readonly features: readonly ColumnSchema[]
  readonly description: string
}
