/**
 * An export as a file that is downloaded, at the reader's pace: one chunk is in memory, and one in Node's buffer.
 *
 * The resume token of the data set is its `ETag`: a reader whose connection broke asks for the same again with `Range: bytes=<what it has>-`
 * and `If-Range: <the ETag>`, as HTTP has it, and gets the rest, from any instance. A range without `If-Range` is not
 * looked at: the data may have grown. Format `rows` is sent as lines of JSON, which have no length beforehand and no ranges.
 */

import type { DatasetFormat } from '../../offline/offline-store.ts'
import type { DatasetHeader, DatasetPart } from '../dataset-stream.ts'
import type { ExportCall } from '../export-handler.ts'
import { rowLines } from './ndjson.ts'
import type { HttpFault } from './status.ts'

const CONTENT_TYPE: Readonly<Record<DatasetFormat, string>> = {
  parquet: 'application/vnd.apache.parquet',
  arrow: 'application/vnd.apache.arrow.stream',
  csv: 'text/csv; charset=utf-8; header=present',
  rows: 'application/x-ndjson',
}
const EXTENSION: Readonly<Record<DatasetFormat, string>> = {
  parquet: 'parquet',
  arrow: 'arrows',
  csv: 'csv',
  rows: 'ndjson',
}

export interface Download {
  readonly status: 200 | 206
  readonly headers: Readonly<Record<string, string>>
  readonly content: AsyncIterable<Buffer>
}

/** The call with where it goes on; unchanged without both headers, or for what cannot go on. */
export function resumedCall(call: ExportCall, range: string | undefined, ifRange: string | undefined): ExportCall {
  const from = /^bytes=([0-9]{1,15})-$/.exec(range ?? '')?.[1]
  const token = /^"(.+)"$/.exec(ifRange ?? '')?.[1]
  if (from === undefined || token === undefined || call.format === 'rows') return call
  return { ...call, resume: { token, receivedBytes: BigInt(from) } }
}

/** Waits for the data set; what comes before its header is progress. */
export async function openDownload(
  call: ExportCall,
  parts: AsyncIterable<DatasetPart>,
): Promise<Download | { readonly fault: HttpFault }> {
  const iterator = parts[Symbol.asyncIterator]()
  for (;;) {
    const { value: part, done } = await iterator.next()
    if (done === true) throw new Error('a data set without a header')
    if (part.kind !== 'header') continue
    const { header } = part
    const from = Number(call.resume?.receivedBytes ?? 0n)
    if (from > 0 && from >= header.bytes) {
      await iterator.return?.()
      return { fault: beyondEnd(from, header.bytes) }
    }
    return {
      status: call.resume === undefined ? 200 : 206,
      headers: { ...headersOf(call, header), ...(call.resume === undefined ? {} : rangeOf(from, header.bytes)) },
      content: contentOf(header, iterator),
    }
  }
}

async function* contentOf(header: DatasetHeader, parts: AsyncIterator<DatasetPart>): AsyncGenerator<Buffer> {
  const lines = rowLines(header.columns)
  try {
    for (let next = await parts.next(); next.done !== true; next = await parts.next()) {
      if (next.value.kind === 'data') yield next.value.bytes
      else if (next.value.kind === 'rows') yield Buffer.from(lines(next.value.bytes))
    }
  } finally {
    await parts.return?.()
  }
}

function headersOf({ source, format }: ExportCall, header: DatasetHeader): Record<string, string> {
  const name = 'view' in source ? source.view : source.featureService
  const common = {
    'content-type': CONTENT_TYPE[format],
    'content-disposition': `attachment; filename="${name}.${EXTENSION[format]}"`,
    'twinstore-fingerprint': header.fingerprint,
    'twinstore-rows': String(header.rows),
    'twinstore-table-versions': Object.entries(header.tableVersions)
      .map(([view, version]) => `${view}=${version}`)
      .join(', '),
  }
  if (format === 'rows') return common
  return {
    ...common,
    etag: `"${header.resumeToken}"`,
    'accept-ranges': 'bytes',
    'content-length': String(header.bytes),
    'repr-digest': `sha-256=:${Buffer.from(header.sha256, 'hex').toString('base64')}:`,
  }
}

function rangeOf(from: number, bytes: number): Record<string, string> {
  return { 'content-range': `bytes ${from}-${bytes - 1}/${bytes}`, 'content-length': String(bytes - from) }
}

function beyondEnd(from: number, bytes: number): HttpFault {
  return {
    status: 416,
    code: 'INVALID_ARGUMENT',
    message: `the range begins at byte ${from}, and the data set has ${bytes}: it is complete, or begin anew without a range`,
    headers: { 'content-range': `bytes */${bytes}` },
  }
}
