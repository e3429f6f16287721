/** Every columnar job by its name; inputs and outputs are plain data that a child process can be sent. */
import type { CheckpointReadJob, CheckpointWriteJob } from './checkpoint-jobs.ts'
import type { ExportJob, SpineRangeJob, TrainingSetJob } from './dataset-jobs.ts'
import type { StatisticsJob } from './statistics-job.ts'
import type {
  AppendJob,
  CompactJob,
  HistoryJob,
  KeptJob,
  LatestJob,
  LatestOfJob,
  LatestSampleJob,
  LookUpJob,
  RestoreJob,
  SyncJob,
} from './table-jobs.ts'

export interface Jobs {
  readonly append: AppendJob
  readonly sync: SyncJob
  readonly latest: LatestJob
  readonly latestOf: LatestOfJob
  readonly latestSample: LatestSampleJob
  readonly kept: KeptJob
  readonly lookUp: LookUpJob
  readonly restore: RestoreJob
  readonly history: HistoryJob
  readonly export: ExportJob
  readonly spineRange: SpineRangeJob
  readonly trainingSet: TrainingSetJob
  readonly compact: CompactJob
  readonly statistics: StatisticsJob
  readonly checkpointWrite: CheckpointWriteJob
  readonly checkpointRead: CheckpointReadJob
}
