/** What gRPC and its transport get of the configuration, under their own names. */
import type { Config } from '../option-table.ts'

export function grpcLimits(config: Config) {
  return {
    messageBytesMax: config['grpc-message-bytes-max'],
    streamsMax: config['grpc-streams-max'],
    streamWindow: config['stream-window'],
    keepaliveTimeMs: config['grpc-keepalive-time'],
    keepaliveTimeoutMs: config['grpc-keepalive-timeout'],
    lean: leanLimits(config),
  }
}

function leanLimits(config: Config) {
  return {
    connectionsMax: config['grpc-connections-max'],
    incomingBytesMax: config['grpc-incoming-bytes-max'],
    incomingBytesTotalMax: config['grpc-incoming-bytes-total-max'],
    queuedBytesTotalMax: config['http2-queued-bytes-total-max'],
    answerBuffersBytes: config['answer-buffers-bytes'],
    connection: {
      streamsMax: config['grpc-streams-max'],
      headerListBytesMax: config['http2-header-list-bytes-max'],
      blockBytesMax: config['http2-header-block-bytes-max'],
      continuationsMax: config['http2-continuations-max'],
      streamWindowBytes: config['http2-stream-window-bytes'],
      connectionWindowBytes: config['http2-connection-window-bytes'],
      outputBytesMax: config['http2-output-bytes-max'],
      queuedBytesMax: config['http2-queued-bytes-max'],
      resetsBurst: config['http2-resets-burst'],
      resetsPerSecond: config['http2-resets-per-second'],
      emptyFramesBurst: config['http2-empty-frames-burst'],
      emptyFramesPerSecond: config['http2-empty-frames-per-second'],
      turnMsMax: config['http2-turn-max'],
      times: {
        handshakeMs: config['http2-handshake-timeout'],
        frameMs: config['http2-frame-timeout'],
        stallMs: config['http2-stall-timeout'],
        keepaliveMs: config['grpc-keepalive-time'],
        keepaliveTimeoutMs: config['grpc-keepalive-timeout'],
        idleMs: config['grpc-idle-timeout'],
        ageMs: config['grpc-connection-age'],
        graceMs: config['grpc-connection-age-grace'],
      },
    },
  }
}
