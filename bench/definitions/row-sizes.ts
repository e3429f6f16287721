/** Rows of many sizes, written only: what features and embeddings cost by their number. */
import { double, entity, featureView, float, string, vector } from 'twinstore'

export const item = entity('item', string())

const numbers = (count: number) =>
  featureView(`numbers_${count}`, {
    entities: [item],
    features: Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, double()])),
  })

export const numbers10 = numbers(10)
export const numbers50 = numbers(50)
export const numbers100 = numbers(100)
export const numbers250 = numbers(250)
export const numbers1000 = numbers(1000)

const embedding = (length: number) =>
  featureView(`embedding_${length}`, { entities: [item], features: { embedding: vector(length) } })

export const embedding128 = embedding(128)
export const embedding384 = embedding(384)
export const embedding768 = embedding(768)
export const embedding1024 = embedding(1024)
export const embedding1536 = embedding(1536)

/** A row of a model's input: 100 numbers of single precision. */
export const modelInput = featureView('model_input', {
  entities: [item],
  features: Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`f${index}`, float()])),
})
