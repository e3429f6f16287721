import { double, entity, featureService, featureView, string } from 'twinstore'

export * from '../../examples/flights/index.ts'

export const user = entity('user', string())

/** A row of about 2 KB: 50 doubles and a text that fills it up. Written only. */
export const wide = featureView('wide', {
  entities: [user],
  features: {
    ...Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`f${index}`, double()])),
    text: string(),
  },
})

export const wideRow = featureService('wide_row', [wide])
