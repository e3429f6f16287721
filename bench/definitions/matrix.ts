import { entity, featureService, featureView, float, int64 } from 'twinstore'

/**
 * The layout of Feast's own benchmark: 25 views of ten features, and services of the first 5, 10, 15, 20 and 25 of them. Rows and
 * values are in lib/matrix-data.mjs.
 */
export const item = entity('item', int64())

const FEATURES_PER_VIEW = 10
const views = Array.from({ length: 25 }, (_, view) =>
  featureView(`view_${view}`, {
    entities: [item],
    features: Object.fromEntries(
      Array.from({ length: FEATURES_PER_VIEW }, (_, offset) => [
        `feature_${view * FEATURES_PER_VIEW + offset}`,
        float(),
      ]),
    ),
  }),
)

// A view is taken in by being exported.
export const [v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12] = views
export const [v13, v14, v15, v16, v17, v18, v19, v20, v21, v22, v23, v24] = views.slice(13)

const firstViews = (count: number) => featureService(`matrix_${count * FEATURES_PER_VIEW}`, views.slice(0, count))

export const matrix50 = firstViews(5)
export const matrix100 = firstViews(10)
export const matrix150 = firstViews(15)
export const matrix200 = firstViews(20)
export const matrix250 = firstViews(25)
