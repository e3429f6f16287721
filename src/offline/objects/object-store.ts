/**
 * The port of where the offline store's files are: a folder today, an object store such as S3 with the same promises.
 *
 * Paths are relative, `/`-separated, without `..`. Every file but the ones written by `put` is immutable.
 */
export interface ObjectInfo {
  readonly path: string
  readonly bytes: number
  readonly modifiedMs: number
}

/** A local file with the bytes of an immutable object, on loan to this process. */
export interface BorrowedFile {
  /** Only to be read. Its name ends as the object's does, so that what goes by the ending (`.mjs`) works. */
  readonly file: string
  /** Ends the loan; the file may be gone afterwards. Never fails; a second call does nothing. */
  release(): Promise<void>
  /**
   * Ends the loan of a file that is not what it should be. True: it was a copy, which is gone, and another loan gets the object's
   * bytes anew. False: it is the object itself.
   */
  discard(): Promise<boolean>
}

export interface ObjectStore {
  /** How people name it: `file:/var/lib/twinstore/offline`. */
  readonly location: string

  /** The whole object, or undefined if there is none. */
  read(path: string): Promise<Buffer | undefined>

  /**
   * Creates the object unless one exists; false if one does. Of several callers one gets true. When it resolves, the object is whole and
   * survives a crash; a crash midway leaves either nothing or the whole object under `path`.
   */
  putIfAbsent(path: string, bytes: Uint8Array): Promise<boolean>

  /** Creates or replaces the object, atomically for readers. */
  put(path: string, bytes: Uint8Array): Promise<void>

  /** Takes a local file into the store under `path`; the local file is gone afterwards. Survives a crash once resolved. */
  upload(localFile: string, path: string): Promise<void>

  /** Objects whose path begins with `prefix`, sorted by the path's UTF-8 bytes; only those after `startAfter` if given. */
  list(prefix: string, startAfter?: string): AsyncIterable<ObjectInfo>

  /** Removes the object; not an error if there is none. */
  delete(path: string): Promise<void>

  /**
   * Lends a local file with the object's bytes, for engines that read files: the object's own, or a copy in a bounded cache. It stays
   * until it is released, as long as the object exists. NOT_FOUND if there is no such object.
   */
  borrow(path: string): Promise<BorrowedFile>

  /** A folder for files on their way to `upload`, on the same file system where that matters. */
  readonly stagingDir: string
}
