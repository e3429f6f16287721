/** At most so many pieces of work at a time; the others wait, first come first served. Who calls it bounds how many wait. */
export interface Slots {
  run<T>(work: () => Promise<T>): Promise<T>
}

export function createSlots(count: number): Slots {
  let free = count
  const waiting: (() => void)[] = []
  return {
    async run(work) {
      if (free > 0) free--
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        return await work()
      } finally {
        // A place goes from hand to hand, so that nobody who comes later gets in between.
        const next = waiting.shift()
        if (next === undefined) free++
        else next()
      }
    },
  }
}
