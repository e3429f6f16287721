/**
 * A finished export that can be read over and over, so that what is measured is the sending of its bytes and not the job that made them.
 *
 * A data set that was read to its end is gone, unless somebody else reads it too: here a reader that has asked for it first and takes no
 * byte. With the token of its header the others come back to the same file.
 */
import { encodeMessage } from '../../dist/client/protocol.js'

export const EXPORT_FEATURES = '/twinstore.v1.Offline/ExportFeatures'

/** Syncs the view and exports it. Gives the request for the finished bytes, from the first on, and how many they are. */
export async function heldExport(defer, client, { view, format, until }) {
  await client.sync({ views: [view] })
  const held = await client.exportFeatures({ view, format, until })
  defer(() => held.cancel())
  const { bytes, resumeToken: token } = held.info
  const request = encodeMessage('ExportFeaturesRequest', {
    view,
    format: `DATASET_FORMAT_${format.toUpperCase()}`,
    untilMicros: String(until),
    resume: { token, receivedBytes: '0' },
  })
  return { request, bytes }
}
