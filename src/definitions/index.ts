/** The package `twinstore`: what definitions are written with. */
export type { Duration } from './builders/durations.ts'
export { days, hours, minutes, seconds } from './builders/durations.ts'
export type { Entity, EntityOptions } from './builders/entities.ts'
export { entity } from './builders/entities.ts'
export type { FeatureService, FeatureServiceOptions } from './builders/feature-services.ts'
export { featureService } from './builders/feature-services.ts'
export type {
  FeatureView,
  FeatureViewOptions,
  OfflineLookupOptions,
  ViewRef,
  ViewUse,
} from './builders/feature-views.ts'
export { featureView } from './builders/feature-views.ts'
export type {
  ComputeOutput,
  ComputeRow,
  OnDemandUse,
  OnDemandView,
  OnDemandViewOptions,
} from './builders/on-demand-views.ts'
export { onDemandView } from './builders/on-demand-views.ts'
export type { FileOptions, FileSource, SqlFragment } from './builders/sources.ts'
export { file, sql } from './builders/sources.ts'
export type { FeatureType, FeatureTypes, TypeOptions } from './builders/value-types.ts'
export {
  bool,
  bytes,
  double,
  float,
  int32,
  int64,
  list,
  string,
  timestamp,
  vector,
} from './builders/value-types.ts'
