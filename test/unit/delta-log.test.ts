/** Entries as text, paths as URIs, and the replay of entries into snapshots. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Action, AddFile, Metadata } from '../../src/offline/delta/actions.ts'
import { decodeFilePath, encodeFilePath } from '../../src/offline/delta/file-path.ts'
import { parseEntry, serializeEntry } from '../../src/offline/delta/log-entry.ts'
import { checkReadable, checkWritable } from '../../src/offline/delta/protocol-support.ts'
import { type LogEntry, replay, type Snapshot } from '../../src/offline/delta/snapshot.ts'
import { fileAt, NOW_MS } from './delta-view.ts'

const METADATA: Metadata = {
  id: '5fba94ed-9794-4965-ba6e-6ee3c0d22af9',
  format: { provider: 'parquet', options: {} },
  schemaString: '{"type":"struct","fields":[]}',
  partitionColumns: ['event_date'],
  configuration: {},
}
const PROTOCOL = { minReaderVersion: 1, minWriterVersion: 2 }

function entryOf(...lines: readonly unknown[]): Buffer {
  return Buffer.from(lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'))
}

const segment = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
  .filter((text) => text.isWellFormed() && !text.includes('/') && text !== '.' && text !== '..')
const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/'))

describe('file paths', () => {
  test('every path survives, and its URI is plain ASCII that no URI parser splits', () => {
    fc.assert(
      fc.property(path, (original) => {
        const uri = encodeFilePath(original)
        expect(uri).toMatch(/^[!$&'()*+,\-./0-9;=@A-Z_a-z~%]+$/)
        expect(decodeFilePath(uri)).toBe(original)
        expect(decodeURIComponent(new URL(uri, 'file:///t/').pathname)).toBe(`/t/${original}`)
      }),
    )
  })

  test('the paths that Twinstore makes stay readable', () => {
    expect(encodeFilePath('event_date=2001-01-01/part-1.parquet')).toBe('event_date=2001-01-01/part-1.parquet')
  })

  test.each(['s3://bucket/x', '/abs/x', 'a/../../x', 'a%2F..%2F..%2Fx', '%zz', ''])('%j is refused', (uri) => {
    expect(() => parseEntry('f', entryOf({ add: { ...fileAt('x'), path: uri } }))).toThrow(
      /^f line 1: path|outside its table/,
    )
  })
})

describe('entries', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((value) => value.isWellFormed())
  const time = fc.integer({ min: 0, max: 4e12 })
  const action: fc.Arbitrary<Action> = fc.oneof(
    fc.record({
      add: fc.record({
        path,
        size: time,
        modificationTime: time,
        dataChange: fc.boolean(),
        stats: text,
        partitionValues: fc.dictionary(text, fc.option(text)),
      }),
    }),
    fc.record({ remove: fc.record({ path, dataChange: fc.boolean(), deletionTimestamp: time }) }),
    fc.record({ txn: fc.record({ appId: text, version: fc.maxSafeInteger(), lastUpdated: time }) }),
    fc.constant({ protocol: PROTOCOL }),
    fc
      .record({ description: text, configuration: fc.dictionary(text, text) })
      .map((part) => ({ metaData: { ...METADATA, ...part } })),
  )

  test('what is written is read', () => {
    fc.assert(
      fc.property(fc.array(action), (actions) => {
        const [info, ...read] = parseEntry('f', serializeEntry({ txnId: 'id', timestamp: 1 }, actions))
        expect(info).toEqual({ commitInfo: { txnId: 'id', timestamp: 1, actionCount: actions.length } })
        expect(read).toEqual(JSON.parse(JSON.stringify(actions)))
      }),
    )
  })

  test('an entry cut off anywhere is DATA_LOSS naming the file, never fewer actions', () => {
    const whole = serializeEntry({ txnId: 'id' }, [{ add: fileAt('ä') }, { txn: { appId: 'sync', version: 5 } }])
    // The last byte is the newline, without which the entry is whole still.
    for (let length = 0; length < whole.length - 1; length++) {
      expect(() => parseEntry('_delta_log/7.json', whole.subarray(0, length)), `${length} bytes`).toThrow(
        expect.objectContaining({ code: 'DATA_LOSS', message: expect.stringContaining('_delta_log/7.json') }),
      )
    }
  })

  test.each([
    ['not JSON', '{"add":'],
    ['not an object', '[1]'],
    ['no path', { add: { ...fileAt('x'), path: undefined } }],
    ['a size that is a string', { add: { ...fileAt('x'), size: '1' } }],
    ['partition values that are numbers', { add: { ...fileAt('x'), partitionValues: { event_date: 1 } } }],
    ['a txn without a version', { txn: { appId: 'sync' } }],
    ['metaData without a schema', { metaData: { ...METADATA, schemaString: undefined } }],
    ['a protocol without versions', { protocol: {} }],
  ])('%s is DATA_LOSS naming the line', (_, line) => {
    const entry = entryOf({ commitInfo: {} }, line)
    expect(() => parseEntry('f.json', entry)).toThrow(
      expect.objectContaining({ code: 'DATA_LOSS', message: expect.stringContaining('f.json line 2') }),
    )
  })

  test('actions and fields of later protocols are ignored, nulls are absent fields', () => {
    const entry = entryOf(
      { commitInfo: { operationMetrics: { numFiles: '1' }, engineInfo: 7 } },
      { domainMetadata: { domain: 'x' } },
      { add: { ...fileAt('x', '{}'), tags: null, deletionVector: null, baseRowId: 4, stats: null } },
      { metaData: { ...METADATA, name: null, createdTime: null, later: true } },
    )
    expect(parseEntry('f', entry)).toEqual([{ commitInfo: {} }, { add: fileAt('x') }, { metaData: METADATA }])
  })

  test('a deletion vector is refused by name', () => {
    const entry = entryOf({ add: { ...fileAt('x'), deletionVector: { storageType: 'u' } } })
    expect(() => parseEntry('f', entry)).toThrow(/deletionVectors is not supported/)
  })
})

describe('protocol', () => {
  test.each([
    [{ minReaderVersion: 2, minWriterVersion: 5 }, /reader version 2/],
    [
      { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ['deletionVectors', 'v2Checkpoint'] },
      /deletionVectors, v2Checkpoint/,
    ],
    [{ minReaderVersion: 4, minWriterVersion: 8 }, /reader version 4/],
  ])('%j cannot be read', (protocol, message) => {
    expect(() => checkReadable('t', protocol, METADATA)).toThrow(message)
  })

  test.each([
    [{ minReaderVersion: 1, minWriterVersion: 3 }, /writer version 3/],
    [
      { minReaderVersion: 1, minWriterVersion: 7, writerFeatures: ['appendOnly', 'rowTracking'] },
      /features rowTracking,/,
    ],
  ])('%j can be read and not written', (protocol, message) => {
    checkReadable('t', protocol, METADATA)
    expect(() => checkWritable('t', protocol, METADATA)).toThrow(message)
  })

  test('feature lists that name nothing new are accepted', () => {
    const protocol = {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: [],
      writerFeatures: ['appendOnly', 'invariants'],
    }
    checkWritable('t', protocol, METADATA)
  })

  test('column invariants and other formats are refused', () => {
    const schemaString = '{"fields":[{"metadata":{"delta.invariants":"x > 0"}}]}'
    expect(() => checkWritable('t', PROTOCOL, { ...METADATA, schemaString })).toThrow(/invariants/)
    expect(() => checkReadable('t', PROTOCOL, { ...METADATA, format: { provider: 'orc', options: {} } })).toThrow(/orc/)
  })
})

describe('replay', () => {
  const START: Action[] = [{ protocol: PROTOCOL }, { metaData: METADATA }]
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const change = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), name, size: fc.nat() }),
    fc.record({ kind: fc.constant('remove' as const), name, size: fc.nat() }),
    fc.record({ kind: fc.constant('txn' as const), name, size: fc.nat() }),
    fc.record({ kind: fc.constant('metaData' as const), name, size: fc.nat() }),
  )
  /** One action per kind and name within an entry, as the protocol demands. */
  const entryChanges = fc.uniqueArray(change, {
    selector: ({ kind, name }) => (kind === 'txn' ? `txn ${name}` : kind === 'metaData' ? kind : name),
  })
  type Change = { kind: 'add' | 'remove' | 'txn' | 'metaData'; name: string; size: number }

  function actionOf({ kind, name, size }: Change): Action {
    if (kind === 'add') return { add: { ...fileAt(name), size } }
    if (kind === 'remove') return { remove: { path: name, dataChange: true, deletionTimestamp: size } }
    if (kind === 'txn') return { txn: { appId: name, version: size } }
    return { metaData: { ...METADATA, description: String(size) } }
  }

  /** The model: the last word on each name, looked for backwards. */
  function expected(
    history: readonly (readonly Change[])[],
  ): Pick<Snapshot, 'files' | 'txns'> & { description: unknown } {
    const backwards = history
      .flatMap((changes, index) => changes.map((one) => ({ ...one, version: index + 1 })))
      .reverse()
    const files: AddFile[] = []
    const txns = new Map<string, number>()
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      const file = backwards.find((one) => one.name === name && (one.kind === 'add' || one.kind === 'remove'))
      const tags = { 'twinstore.version': String(file?.version) }
      if (file?.kind === 'add') files.push({ ...fileAt(name), size: file.size, dataChange: false, tags })
      const txn = backwards.find((one) => one.name === name && one.kind === 'txn')
      if (txn) txns.set(name, txn.size)
    }
    const metadata = backwards.find((one) => one.kind === 'metaData')
    return { files, txns, description: metadata && String(metadata.size) }
  }

  test('is what a naive model says, at every version, and the same when extended step by step', () => {
    fc.assert(
      fc.property(fc.array(entryChanges, { maxLength: 12 }), fc.nat(), (history, cut) => {
        const entries: LogEntry[] = [START, ...history.map((changes) => changes.map(actionOf))].map(
          (actions, version) => ({ version, actions }),
        )
        for (let version = 0; version < entries.length; version++) {
          const full = replay('t', undefined, entries.slice(0, version + 1))!
          const model = expected(history.slice(0, version))
          expect(full.version).toBe(version)
          expect(full.files).toEqual(model.files)
          expect(full.txns).toEqual(model.txns)
          expect(full.metadata.description).toBe(model.description)
          const split = cut % (version + 1)
          expect(
            replay('t', replay('t', undefined, entries.slice(0, split)), entries.slice(split, version + 1)),
          ).toEqual(full)
        }
      }),
    )
  })

  test('removed files stay as tombstones until they are added again', () => {
    const removed = replay('t', undefined, [
      { version: 0, actions: [...START, { add: fileAt('a') }] },
      { version: 1, actions: [{ remove: { path: 'a', dataChange: true } }] },
    ])!
    expect(removed).toMatchObject({ files: [], tombstones: [{ path: 'a' }] })
    expect(replay('t', removed, [{ version: 2, actions: [{ add: fileAt('a') }] }])).toMatchObject({
      files: [{ path: 'a' }],
      tombstones: [],
    })
  })

  test('a file that was removed within an hour of being written leaves no tombstone', () => {
    const hour = 3_600_000
    const removedAfter = (ms: number): Action => ({
      remove: { path: String(ms), dataChange: false, deletionTimestamp: NOW_MS + ms },
    })
    const ages = [0, hour - 1, hour, 100 * hour]
    const removed = replay('t', undefined, [
      { version: 0, actions: [...START, ...ages.map((ms) => ({ add: fileAt(String(ms)) }))] },
      { version: 1, actions: ages.map(removedAfter) },
    ])!
    expect(removed.files).toEqual([])
    expect(removed.tombstones.map((file) => Number(file.path)).sort((a, b) => a - b)).toEqual([hour, 100 * hour])
  })

  test('extending does not change the snapshot it extends', () => {
    const base = replay('t', undefined, [{ version: 0, actions: [...START, { add: fileAt('a') }] }])!
    const before = structuredClone(base)
    replay('t', base, [
      { version: 1, actions: [{ remove: { path: 'a', dataChange: true } }, { txn: { appId: 'x', version: 1 } }] },
    ])
    expect(base).toEqual(before)
  })

  test('a log that does not begin with protocol and metadata is DATA_LOSS', () => {
    expect(() => replay('t', undefined, [{ version: 0, actions: [{ metaData: METADATA }] }])).toThrow(/no protocol/)
    expect(() => replay('t', undefined, [{ version: 0, actions: [{ protocol: PROTOCOL }] }])).toThrow(/no metaData/)
  })
})
