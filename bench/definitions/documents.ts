import { entity, featureView, hours, int64, sql, string } from 'twinstore'

export * from './serving.ts'

export const document = entity('document', int64())

/** 50,000 rows of 2 KB, one a second: a history whose export as CSV is 100 MB, and which its source makes in an instant. */
export const documents = featureView('documents', {
  entities: [document],
  features: { text: string() },
  source: sql`
    SELECT i AS document, repeat('x', 100000) AS text, TIMESTAMPTZ '2001-01-01 00:00:00Z' + to_seconds(i) AS event_timestamp
    FROM range(1000) AS r(i)`,
  sync: { every: hours(24) },
  online: false,
})
