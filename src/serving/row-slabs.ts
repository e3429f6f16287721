/**
 * Copies of rows, packed into buffers of 64 KiB.
 *
 * A row as a store gives it is often a slice of what a socket read, and would keep all of that alive, far beyond the bytes
 * that are counted. Giving each copy a buffer of its own is exact and slow: of a batch of 100 missed rows of 2 KB, making and
 * collecting 100 buffers took more than a third of the time. So copies share slabs. When all slabs together are a third larger
 * than the rows in them, the slab that has been sparse for longest is given up and its rows move to another one. Rows mostly leave
 * in the order they came, so a sparse slab is mostly empty soon, and hardly a row ever moves; thinning out each slab as soon as a
 * quarter of it was free made the read path twice as slow.
 *
 * Bound: slabs are at most a third larger than the rows in them, and three slabs more. A row that was handed out stays as it is,
 * and keeps its slab, for as long as someone holds it.
 */
const SLAB_BYTES = 64 * 1024
const FILL_MIN = 3 / 4
const LIVE_BYTES_MIN = SLAB_BYTES * FILL_MIN
const SLACK_BYTES = 3 * SLAB_BYTES
/** Larger rows have buffers of their own; with smaller ones at most a sixteenth of a slab stays empty at its end. */
const PACKED_BYTES_MAX = SLAB_BYTES / 16
/** A buffer that is hardly larger than its row is taken over instead of copied. */
const SPARE_BYTES_MAX = 64

/** Whatever owns a row. `row` is another buffer with the same bytes after a move. */
export interface RowHolder {
  row: Buffer
  /** Undefined: the row has a buffer of its own, or was dropped. */
  slab: Slab | undefined
}

export interface Slab {
  readonly buffer: Buffer
  readonly holders: RowHolder[]
  filledBytes: number
  liveBytes: number
}

export interface RowSlabs {
  /** Puts the holder's row where it keeps nothing else alive. */
  adopt(holder: RowHolder): void
  /** The holder does not need its row any more. Has to be called once for each that was adopted. */
  drop(holder: RowHolder): void
  /** Bytes of all slabs that hold a row, and of the one that is being filled. */
  bytes(): number
}

export function createRowSlabs(): RowSlabs {
  let filling = newSlab()
  let slabBytes = SLAB_BYTES
  let liveBytes = 0
  /** Full slabs less than three quarters of which are in use. There is one whenever the bound is passed. */
  const sparse = new Set<Slab>()

  function pack(holder: RowHolder): void {
    const { row } = holder
    if (filling.filledBytes + row.length > SLAB_BYTES) beginSlab()
    const slab = filling
    const end = slab.filledBytes + row.length
    slab.buffer.set(row, slab.filledBytes)
    holder.row = slab.buffer.subarray(slab.filledBytes, end)
    holder.slab = slab
    slab.holders.push(holder)
    slab.filledBytes = end
    slab.liveBytes += row.length
    liveBytes += row.length
  }

  function beginSlab(): void {
    const full = filling
    filling = newSlab()
    slabBytes += SLAB_BYTES
    noteIfSparse(full)
  }

  function noteIfSparse(slab: Slab): void {
    if (slab.liveBytes === 0) release(slab)
    else if (slab.liveBytes < LIVE_BYTES_MIN) sparse.add(slab)
  }

  function release(slab: Slab): void {
    sparse.delete(slab)
    slabBytes -= SLAB_BYTES
  }

  function giveUpSparse(): void {
    const [slab] = sparse
    if (slab === undefined) return
    release(slab)
    liveBytes -= slab.liveBytes
    for (const holder of slab.holders) if (holder.slab === slab) pack(holder)
  }

  return {
    adopt(holder) {
      const { row } = holder
      if (row.buffer.byteLength <= row.length + SPARE_BYTES_MAX) return
      if (row.length <= PACKED_BYTES_MAX) return pack(holder)
      holder.row = Buffer.allocUnsafeSlow(row.length)
      holder.row.set(row)
    },

    drop(holder) {
      const { slab } = holder
      if (slab === undefined) return
      holder.slab = undefined
      slab.liveBytes -= holder.row.length
      liveBytes -= holder.row.length
      if (slab !== filling) noteIfSparse(slab)
      if (slabBytes > SLACK_BYTES + liveBytes / FILL_MIN) giveUpSparse()
    },

    bytes: () => slabBytes,
  }
}

function newSlab(): Slab {
  return { buffer: Buffer.allocUnsafeSlow(SLAB_BYTES), holders: [], filledBytes: 0, liveBytes: 0 }
}
