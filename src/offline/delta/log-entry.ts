/**
 * One entry of a Delta log as text: a line of JSON per action.
 *
 * Reading is strict about what it understands and, as the protocol demands, blind to actions and fields it does not know:
 * a table that needs those understood says so in its protocol action (`protocol-support.ts`).
 */
import { TwinstoreError } from '../../domain/errors.ts'
import type { Action, AddFile, CommitInfo, Metadata, Protocol, RemoveFile, Transaction } from './actions.ts'
import { decodeFilePath, encodeFilePath } from './file-path.ts'
import {
  asObject,
  booleanField,
  FieldFault,
  integerField,
  type JsonObject,
  nullableTextMapField,
  optional,
  textField,
  textMapField,
  textsField,
} from './json-fields.ts'

/** The entry of a commit; `commitInfo` comes first and gets the count of the others. */
export function serializeEntry(commitInfo: CommitInfo, actions: readonly Action[]): Buffer {
  const all: readonly Action[] = [{ commitInfo: { ...commitInfo, actionCount: actions.length } }, ...actions]
  return Buffer.from(`${all.map(actionLine).join('\n')}\n`, 'utf8')
}

/** An action as a line of JSON. */
export function actionLine(action: Action): string {
  return JSON.stringify(withUriPath(action))
}

/** The known actions of an entry. `file` is for messages: DATA_LOSS naming file and line if it is damaged. */
export function parseEntry(file: string, bytes: Uint8Array): readonly Action[] {
  const lines = decodeText(file, bytes).split('\n')
  const actions: Action[] = []
  let lineCount = 0
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue
    lineCount++
    const action = parseActionLine(`${file} line ${index + 1}`, line)
    if (action !== undefined) actions.push(action)
  }
  if (lineCount === 0) throw new TwinstoreError('DATA_LOSS', `${file} is empty; restore it from a backup`)
  const declared = commitInfoOf(actions)?.actionCount
  if (declared !== undefined && declared !== lineCount - 1) {
    throw new TwinstoreError(
      'DATA_LOSS',
      `${file} is cut off: it has ${lineCount - 1} of ${declared} actions; restore it from a backup`,
    )
  }
  return actions
}

export function commitInfoOf(actions: readonly Action[]): CommitInfo | undefined {
  for (const action of actions) if ('commitInfo' in action) return action.commitInfo
  return undefined
}

function decodeText(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new TwinstoreError('DATA_LOSS', `${file} is not UTF-8; restore it from a backup`, { cause })
  }
}

/** Undefined for an action that is not known. `place` is for messages: DATA_LOSS naming it if the line is damaged. */
export function parseActionLine(place: string, line: string): Action | undefined {
  try {
    return parseAction(asObject(JSON.parse(line), 'the action'))
  } catch (error) {
    if (!(error instanceof FieldFault || error instanceof SyntaxError)) throw error
    throw new TwinstoreError('DATA_LOSS', `${place}: ${error.message}; restore the file from a backup`, {
      cause: error,
    })
  }
}

function parseAction(line: JsonObject): Action | undefined {
  const body = (name: string): JsonObject | undefined =>
    line[name] === undefined || line[name] === null ? undefined : asObject(line[name], name)
  const add = body('add')
  if (add) return { add: parseAdd(add) }
  const remove = body('remove')
  if (remove) return { remove: parseRemove(remove) }
  const txn = body('txn')
  if (txn) return { txn: parseTransaction(txn) }
  const commitInfo = body('commitInfo')
  if (commitInfo) return { commitInfo: parseCommitInfo(commitInfo) }
  const metaData = body('metaData')
  if (metaData) return { metaData: parseMetadata(metaData) }
  const protocol = body('protocol')
  if (protocol) return { protocol: parseProtocol(protocol) }
  return undefined
}

function parseAdd(add: JsonObject): AddFile {
  refuseDeletionVector(add)
  return {
    path: decodeFilePath(textField(add, 'path')),
    partitionValues: nullableTextMapField(add, 'partitionValues'),
    size: integerField(add, 'size'),
    modificationTime: integerField(add, 'modificationTime'),
    dataChange: booleanField(add, 'dataChange'),
    ...optional(add, 'stats', textField),
    ...optional(add, 'tags', textMapField),
  }
}

function parseRemove(remove: JsonObject): RemoveFile {
  refuseDeletionVector(remove)
  return {
    path: decodeFilePath(textField(remove, 'path')),
    dataChange: booleanField(remove, 'dataChange'),
    ...optional(remove, 'deletionTimestamp', integerField),
  }
}

/** A file that is partly deleted must not be read whole. The table's protocol forbids them; this holds it to that. */
function refuseDeletionVector(file: JsonObject): void {
  if (file['deletionVector'] === undefined || file['deletionVector'] === null) return
  throw new TwinstoreError(
    'FAILED_PRECONDITION',
    `${textField(file, 'path')} has a deletion vector, and the Delta feature deletionVectors is not supported`,
  )
}

function parseTransaction(txn: JsonObject): Transaction {
  return {
    appId: textField(txn, 'appId'),
    version: integerField(txn, 'version'),
    ...optional(txn, 'lastUpdated', integerField),
  }
}

/** Free-form in the protocol, so that a field of another shape than ours is none of our business. */
function parseCommitInfo(info: JsonObject): CommitInfo {
  const { txnId, actionCount, operation, engineInfo, timestamp } = info
  return {
    ...(typeof txnId === 'string' ? { txnId } : {}),
    ...(typeof actionCount === 'number' ? { actionCount } : {}),
    ...(typeof operation === 'string' ? { operation } : {}),
    ...(typeof engineInfo === 'string' ? { engineInfo } : {}),
    ...(typeof timestamp === 'number' ? { timestamp } : {}),
  }
}

function parseMetadata(metadata: JsonObject): Metadata {
  const format = asObject(metadata['format'], 'format')
  return {
    id: textField(metadata, 'id'),
    ...optional(metadata, 'name', textField),
    ...optional(metadata, 'description', textField),
    format: {
      provider: textField(format, 'provider'),
      options: optional(format, 'options', textMapField).options ?? {},
    },
    schemaString: textField(metadata, 'schemaString'),
    partitionColumns: textsField(metadata, 'partitionColumns'),
    configuration: optional(metadata, 'configuration', textMapField).configuration ?? {},
    ...optional(metadata, 'createdTime', integerField),
  }
}

function parseProtocol(protocol: JsonObject): Protocol {
  return {
    minReaderVersion: integerField(protocol, 'minReaderVersion'),
    minWriterVersion: integerField(protocol, 'minWriterVersion'),
    ...optional(protocol, 'readerFeatures', textsField),
    ...optional(protocol, 'writerFeatures', textsField),
  }
}

function withUriPath(action: Action): Action {
  if ('add' in action) return { add: { ...action.add, path: encodeFilePath(action.add.path) } }
  if ('remove' in action) return { remove: { ...action.remove, path: encodeFilePath(action.remove.path) } }
  return action
}
