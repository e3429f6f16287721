/** A client that sends any bytes, and gives what came back as it was: the code, the message, the answers. */
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { messageCodec } from '../../src/api/grpc/protocol.ts'

/** The status of a call that failed, as a client of any language sees it. */
export interface Refusal {
  readonly code: string
  readonly message: string
}

export interface RawOptions {
  readonly deadlineMs?: number
  readonly signal?: AbortSignal
}

export type Fields = Readonly<Record<string, unknown>>

/** The request message of each method that is called. */
const REQUEST = {
  'Serving/GetFeatures': 'GetFeaturesRequest',
  'Serving/StreamFeatures': 'GetFeaturesRequest',
  'Serving/WriteFeatures': 'WriteFeaturesRequest',
  'Serving/IngestFeatures': 'WriteFeaturesRequest',
  'Offline/ExportFeatures': 'ExportFeaturesRequest',
  'Offline/GetTrainingSet': 'TrainingSetRequest',
  'Offline/GetHistory': 'GetHistoryRequest',
  'Admin/Sync': 'SyncRequest',
  'Admin/Status': 'StatusRequest',
} as const

const RESPONSE = {
  'Serving/GetFeatures': 'GetFeaturesResponse',
  'Serving/StreamFeatures': 'GetFeaturesResponse',
  'Serving/WriteFeatures': 'WriteFeaturesResponse',
  'Serving/IngestFeatures': 'WriteFeaturesResponse',
  'Offline/ExportFeatures': 'DatasetChunk',
  'Offline/GetTrainingSet': 'DatasetChunk',
  'Offline/GetHistory': 'GetHistoryResponse',
  'Admin/Sync': 'SyncResponse',
  'Admin/Status': 'StatusResponse',
} as const

export type Method = keyof typeof REQUEST

export interface RawClient {
  /** Sends the messages (bytes as they are), closes the sending side, and resolves to all answers; rejects with a `ServiceError`. */
  call(
    method: Method,
    messages: Buffer | Fields | readonly (Buffer | Fields)[],
    options?: RawOptions,
  ): Promise<Fields[]>
  /** The refusal that the call must meet; rejects if it is answered. */
  refused(
    method: Method,
    messages: Buffer | Fields | readonly (Buffer | Fields)[],
    options?: RawOptions,
  ): Promise<Refusal>
  close(): void
}

export function rawClient(address: string): RawClient {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
    'grpc.use_local_subchannel_pool': 1,
  })

  async function call(
    method: Method,
    messages: Buffer | Fields | readonly (Buffer | Fields)[],
    { deadlineMs = 20_000, signal }: RawOptions = {},
  ): Promise<Fields[]> {
    // Every method is called as a stream both ways: on the wire there is no difference.
    const stream = client.makeBidiStreamRequest(
      `/twinstore.v1.${method}`,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      new Metadata(),
      { deadline: Date.now() + deadlineMs },
    )
    signal?.addEventListener('abort', () => stream.cancel())
    const codec = messageCodec<Fields>(REQUEST[method])
    for (const message of isList(messages) ? messages : [messages]) {
      stream.write(Buffer.isBuffer(message) ? message : codec.encode(message as Fields))
    }
    stream.end()
    const answers: Fields[] = []
    for await (const answer of stream) answers.push(messageCodec<Fields>(RESPONSE[method]).decode(answer as Buffer))
    return answers
  }

  return {
    call,
    async refused(method, messages, options) {
      let answers: Fields[]
      try {
        answers = await call(method, messages, options)
      } catch (error) {
        const { code, details } = error as ServiceError
        return { code: status[code], message: details }
      }
      throw new Error(`${method} was answered: ${JSON.stringify(answers).slice(0, 500)}`)
    },
    close: () => client.close(),
  }
}

function isList(messages: Buffer | Fields | readonly (Buffer | Fields)[]): messages is readonly (Buffer | Fields)[] {
  return Array.isArray(messages)
}
