/**
 * Rows in shared buffers of up to 64 KiB, slabs.
 *
 * A row as a store gives it is often a slice of what a socket read, and would keep all of that alive, far beyond the bytes
 * that are counted. Giving each copy a buffer of its own is exact and slow: of a batch of 100 missed rows of 2 KB, making and
 * collecting 100 buffers took more than a third of the time. So copies share slabs; and what a socket read, when it is large, is
 * mostly rows of one batch, so that it is taken for a slab itself and nothing is copied.
 *
 * When all slabs together are a third larger than the rows in them, the slab that has been sparse for longest is given up and its
 * rows move to another one. Rows mostly leave in the order they came, so a sparse slab is mostly empty soon, and hardly a row
 * ever moves; thinning out each slab as soon as a quarter of it was free made the read path twice as slow.
 *
 * Bound: slabs are at most a third larger than the rows in them, and eleven slabs more: three, and eight reads whose rows may
 * still be coming in. A row that was handed out stays as it is, and keeps its slab, for as long as someone holds it.
 */
const SLAB_BYTES = 64 * 1024
const FILL_MIN = 3 / 4
/** What is shorter is not worth its bookkeeping. Node reads sockets in pieces of at most 64 KiB. */
const TAKEN_BYTES_MIN = SLAB_BYTES / 2
/** The reads of a batch from three nodes, two each, and some more. */
const FRESH_READS_MAX = 8
const SLACK_BYTES = (3 + FRESH_READS_MAX) * SLAB_BYTES
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
  /** Whether it is counted among the slabs: it holds a row, or may get one. */
  isCounted: boolean
  /** Whether rows may still come into it, so that it is not called sparse. */
  isFilling: boolean
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
  let filling = emptySlab()
  let slabBytes = SLAB_BYTES
  let liveBytes = 0
  /** Full slabs less than three quarters of which are in use. There is one whenever the bound is passed. */
  const sparse = new Set<Slab>()
  /** What sockets have read. */
  const taken = new WeakMap<ArrayBufferLike, Slab>()
  /** Taken ones that may get further rows and do not count as full yet, the oldest first. */
  const fresh: Slab[] = []

  function pack(holder: RowHolder): void {
    const { row } = holder
    if (filling.filledBytes + row.length > SLAB_BYTES) beginSlab()
    const slab = filling
    const end = slab.filledBytes + row.length
    slab.buffer.set(row, slab.filledBytes)
    holder.row = slab.buffer.subarray(slab.filledBytes, end)
    slab.filledBytes = end
    join(holder, slab)
  }

  function join(holder: RowHolder, slab: Slab): void {
    const { length } = holder.row
    holder.slab = slab
    slab.holders.push(holder)
    slab.liveBytes += length
    liveBytes += length
  }

  /** Leaves the row where it was read. */
  function take(holder: RowHolder, read: ArrayBufferLike): void {
    const slab = taken.get(read) ?? takenSlab(read)
    if (!slab.isCounted) begin(slab)
    join(holder, slab)
    if (slab.liveBytes >= FILL_MIN * slab.buffer.length) sparse.delete(slab)
  }

  function begin(slab: Slab): void {
    slab.isCounted = true
    slab.isFilling = true
    slabBytes += slab.buffer.length
    if (fresh.push(slab) > FRESH_READS_MAX) endFilling(fresh.shift()!)
    keepBound()
  }

  function takenSlab(read: ArrayBufferLike): Slab {
    const slab = slabOf(Buffer.from(read), read.byteLength)
    taken.set(read, slab)
    return slab
  }

  function beginSlab(): void {
    const full = filling
    filling = emptySlab()
    slabBytes += SLAB_BYTES
    endFilling(full)
  }

  function endFilling(slab: Slab): void {
    slab.isFilling = false
    noteIfSparse(slab)
  }

  function noteIfSparse(slab: Slab): void {
    if (slab.liveBytes === 0) release(slab)
    else if (slab.liveBytes < FILL_MIN * slab.buffer.length) sparse.add(slab)
  }

  function release(slab: Slab): void {
    if (!slab.isCounted) return
    sparse.delete(slab)
    slab.isCounted = false
    slab.holders.length = 0
    slabBytes -= slab.buffer.length
  }

  function keepBound(): void {
    if (slabBytes <= SLACK_BYTES + liveBytes / FILL_MIN) return
    const [slab] = sparse
    if (slab === undefined) return
    const holders = slab.holders.splice(0)
    release(slab)
    liveBytes -= slab.liveBytes
    slab.liveBytes = 0
    for (const holder of holders) if (holder.slab === slab) pack(holder)
  }

  return {
    adopt(holder) {
      const { row } = holder
      const { buffer } = row
      const { byteLength } = buffer
      if (byteLength <= row.length + SPARE_BYTES_MAX) return
      if (row.length <= PACKED_BYTES_MAX) {
        if (byteLength >= TAKEN_BYTES_MIN && byteLength <= SLAB_BYTES) take(holder, buffer)
        else pack(holder)
        return
      }
      holder.row = Buffer.allocUnsafeSlow(row.length)
      holder.row.set(row)
    },

    drop(holder) {
      const { slab } = holder
      if (slab === undefined) return
      holder.slab = undefined
      slab.liveBytes -= holder.row.length
      liveBytes -= holder.row.length
      if (!slab.isFilling) noteIfSparse(slab)
      keepBound()
    },

    bytes: () => slabBytes,
  }
}

function emptySlab(): Slab {
  const slab = slabOf(Buffer.allocUnsafeSlow(SLAB_BYTES), 0)
  slab.isCounted = true
  slab.isFilling = true
  return slab
}

function slabOf(buffer: Buffer, filledBytes: number): Slab {
  return { buffer, holders: [], filledBytes, liveBytes: 0, isCounted: false, isFilling: false }
}
