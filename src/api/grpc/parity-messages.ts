/** The messages of `Admin.Parity` and what they mean here. */
import type { Version } from '../../domain/version.ts'
import type { ViewParity } from '../../parity/parity-monitor.ts'
import { openFaults } from '../../parity/parity-note.ts'
import type { Finding } from '../../parity/tally.ts'
import type { ParityCall, ParityEvent } from '../parity-handler.ts'
import { messageCodec } from './protocol.ts'

interface RequestMessage {
  readonly views: readonly string[]
  readonly sampleParts: number
  readonly samplePart: number
  readonly repair: boolean
  readonly findingsMax: number
}

const request = messageCodec<RequestMessage>('ParityRequest')
const response = messageCodec('ParityResponse')

export function decodeParityRequest(bytes: Buffer): ParityCall {
  const { views, sampleParts, samplePart, repair, findingsMax } = request.decode(bytes)
  return {
    views,
    repair,
    sample: { parts: Math.max(1, sampleParts), part: samplePart },
    ...(findingsMax === 0 ? {} : { findingsMax }),
  }
}

export async function* encodeParityEvents(events: AsyncIterable<ParityEvent>): AsyncGenerator<Buffer> {
  for await (const event of events) yield response.encode(messageOf(event))
}

/** As `Status` has them. */
export function parityStatusMessage({ view, note }: ViewParity): object {
  if (note === undefined) return { view }
  const { last, round } = note
  return {
    view,
    endedMillis: last.endedMs,
    sampleParts: last.sample.parts,
    samplePart: last.sample.part,
    keys: last.keys,
    counts: last.counts,
    repaired: last.repaired,
    openFaults: openFaults(note).faults,
    partsSeen: round.faults.filter((faults) => faults !== null).length,
    parts: round.parts,
  }
}

function messageOf(event: ParityEvent): object {
  switch (event.kind) {
    case 'progress':
      return { progress: { view: event.view, progress: event.progress } }
    case 'finding':
      return { finding: { view: event.view, ...findingMessage(event.joinKeys, event.finding) } }
    case 'result': {
      const { sample, findings: _, joinKeys: __, ...result } = event.result
      return { result: { ...result, sampleParts: sample.parts, samplePart: sample.part } }
    }
  }
}

function findingMessage(joinKeys: readonly string[], finding: Finding): object {
  const { kind, entity, entityText, online, offline, differences, detail, repair } = finding
  return {
    kind: kind.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    entity: Object.fromEntries(entity.map((value, index) => [joinKeys[index]!, String(value)])),
    entityText,
    ...(online === undefined ? {} : { online: versionMessage(online) }),
    ...(offline === undefined ? {} : { offline: versionMessage(offline) }),
    differences,
    detail: detail ?? '',
    repaired: repair.kind === 'repaired' ? repair.action : '',
    repairFailure: repair.kind === 'failed' ? repair.reason : '',
  }
}

function versionMessage({ eventMicros, position }: Version): object {
  return { eventTimestampMicros: eventMicros, writePosition: position }
}
