/** Rows on their way: sent once or more often under one write id, and what became of them. */
import type { ErrorCode } from '../../../src/client/index.ts'
import type { Acknowledgement } from './history.ts'
import type { Life } from './instances.ts'
import type { Recorder } from './recorder.ts'

const DEADLINE_MS = 6000

export interface Row {
  readonly key: number
  readonly attempt: bigint
  readonly eventMicros: bigint
}

export class PendingWrite {
  readonly #rows: readonly Row[]
  readonly #ack: 'ONLINE' | 'BOTH'
  readonly #recorder: Recorder
  readonly #sentMs = performance.now()
  readonly #acks: Acknowledgement[][]
  #isRefused = true

  constructor(rows: readonly Row[], ack: 'ONLINE' | 'BOTH', recorder: Recorder) {
    this.#rows = rows
    this.#ack = ack
    this.#recorder = recorder
    this.#acks = rows.map(() => [])
  }

  async attempt(life: Life): Promise<ErrorCode | 'OK'> {
    const { answer, code, endedMs } = await this.#recorder.call(this.#ack === 'BOTH' ? 'archive' : 'write', () =>
      life.client.writeFeatures('ledger', this.#rows.map(toWriteRow), {
        writeId: `w-${this.#rows[0]!.attempt}`,
        ack: this.#ack,
        deadlineMs: DEADLINE_MS,
      }),
    )
    answer?.forEach(({ status, position }, index) => {
      this.#acks[index]!.push({ atMs: endedMs, instance: life.name, status, position })
    })
    if (code !== 'RESOURCE_EXHAUSTED') this.#isRefused = false
    return code
  }

  /** To be called when it is not sent again. */
  record(): void {
    const endedMs = performance.now()
    this.#rows.forEach((row, index) => {
      const acks = this.#acks[index]!
      // Of a batch over several shards a part may be written when one shard has no room.
      const fate = acks.length > 0 ? 'acknowledged' : this.#isRefused && this.#rows.length === 1 ? 'refused' : 'unknown'
      this.#recorder.writes.push({ ...row, sentMs: this.#sentMs, endedMs, fate, acks })
    })
  }
}

function toWriteRow({ key, attempt, eventMicros }: Row) {
  return { account: BigInt(key), attempt, amount: Number(attempt) / 2, event_timestamp: eventMicros }
}
