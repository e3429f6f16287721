/** `make`, but whoever calls while a call is under way gets the outcome of that one. */
export function singleFlight<T>(make: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | undefined
  return () => {
    underWay ??= make().finally(() => {
      underWay = undefined
    })
    return underWay
  }
}
