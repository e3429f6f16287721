/**
 * One load: calls by a pace, over a client, until the time is up and every call has ended.
 *
 * Only calls that were due after the warm-up and before the end count in the histograms. What is in flight at the end is waited
 * for, at most as long as the deadline allows. A failure counts whenever it comes.
 */
import assert from 'node:assert/strict'
import { accountBetween, lookAtProcessors } from '../lib/cpu-account.mjs'
import { openGrpcJsClient } from './grpc-js-client.mjs'
import { openHttp1Client } from './http1-client.mjs'
import { openLeanClient } from './lean-client.mjs'
import { openMetronome } from './metronome.mjs'
import { openNodeHttp2Client } from './node-http2-client.mjs'
import { nextIndex, nextKind } from './order.mjs'
import { Schedule } from './pace.mjs'
import { openStreamClient } from './stream-client.mjs'
import { Tally } from './tally.mjs'

const CLIENTS = {
  lean: openLeanClient,
  stream: openStreamClient,
  'grpc-js': openGrpcJsClient,
  'node-http2': openNodeHttp2Client,
  http1: openHttp1Client,
}
/** An open loop does not wait for answers; a server that gives none must not fill this process. */
const IN_FLIGHT_MAX = 100_000
/** For a client to notice by itself that a deadline has passed. */
const GRACE_MS = 1000

/** `settings` as `load.run` takes them; `prepared`: request messages by name. */
export async function runLoad(settings, prepared) {
  const run = new Run(settings)
  const open = CLIENTS[settings.client ?? 'lean']
  if (open === undefined) throw new Error(`no client ${settings.client}; there are ${Object.keys(CLIENTS).join(', ')}`)
  const { target, connections = 1, deadlineMs = 30_000, tls } = settings
  const onDone = (call, failure, bytes) => run.done(call, failure, bytes)
  const client = await open({ target, connections, deadlineMs, onDone, tls })
  try {
    return await run.start(client, preparedKinds(settings, prepared, client), deadlineMs)
  } finally {
    client.close()
  }
}

function preparedKinds(settings, prepared, client) {
  const { path, requests, order, answerBytesMin } = settings
  const mix = settings.mix ?? [{ name: 'all', path, requests, order, answerBytesMin, share: 1 }]
  return mix.map((kind) => {
    const messages = prepared.get(kind.requests)
    if (messages === undefined) throw new Error(`no requests were prepared as ${kind.requests}`)
    const isStreamed = kind.isStreamed ?? settings.isStreamed ?? false
    if (isStreamed && client.takesStreamed !== true) throw new Error('streamed answers are for the client lean')
    const list = messages.map(client.method(kind.path, isStreamed))
    const next = nextIndex(kind.order ?? { kind: 'inTurn' }, list.length)
    const answerBytesMin = kind.answerBytesMin ?? settings.answerBytesMin ?? 0
    return { name: kind.name, share: kind.share, lanes: kind.lanes, list, next, answerBytesMin, tally: new Tally() }
  })
}

class Run {
  #settings
  #client
  #kinds
  #nextKind
  #schedule
  #warmMs
  #endMs
  #startedMs
  #inFlight = 0
  #calls = 0
  #answeredInTime = 0
  #answerBytes = 0
  #ended
  #cpu

  constructor(settings) {
    this.#settings = settings
  }

  async start(client, kinds, deadlineMs) {
    const { pace, seconds, warmSeconds = 0 } = this.#settings
    this.#client = client
    this.#kinds = kinds
    const inLanes = kinds.filter(({ lanes }) => lanes !== undefined)
    const byPace = kinds.filter(({ lanes }) => lanes === undefined)
    this.#nextKind = nextKind(byPace, pace.seed ?? 1)
    this.#warmMs = warmSeconds * 1000
    this.#endMs = this.#warmMs + seconds * 1000
    const ended = new Promise((resolve) => {
      this.#ended = resolve
    })
    const metronome = pace.kind === 'open' ? await openMetronome(pace, this.#endMs) : undefined
    this.#startedMs = performance.now()
    const timers = [
      setTimeout(() => this.#beginCpu(), this.#warmMs),
      setTimeout(() => this.#timeIsUp(), this.#endMs),
      setTimeout(() => this.#giveUp(), this.#endMs + deadlineMs + GRACE_MS),
    ]
    for (const kind of inLanes) for (let lane = 0; lane < kind.lanes; lane++) this.#send(kind, this.#now())
    if (metronome === undefined) {
      for (let lane = 0; lane < pace.inFlight; lane++) this.#send(this.#nextKind(), this.#now())
    } else {
      this.#schedule = new Schedule(pace, this.#endMs, (dueMs) => this.#send(this.#nextKind(), dueMs))
      metronome.start(this.#startedMs, () => this.#schedule.run(this.#now()))
    }
    await ended
    for (const timer of timers) clearTimeout(timer)
    await metronome?.stop()
    return this.#result(seconds)
  }

  /** Milliseconds from the beginning. */
  #now() {
    return performance.now() - this.#startedMs
  }

  #send(kind, intendedMs) {
    const call = { request: kind.list[kind.next()], kind, intendedMs, sentMs: performance.now() }
    if (this.#inFlight >= IN_FLIGHT_MAX) {
      kind.tally.fail(`not sent: ${IN_FLIGHT_MAX} calls are in flight`)
      return
    }
    this.#inFlight++
    this.#client.send(call)
  }

  done({ kind, intendedMs, sentMs }, failure, bytes) {
    const nowMs = this.#now()
    this.#inFlight--
    this.#calls++
    this.#answerBytes += bytes
    const isShort = failure === null && bytes < kind.answerBytesMin
    const what = isShort ? `an answer shorter than ${kind.answerBytesMin} bytes` : failure
    if (what !== null) kind.tally.fail(what)
    else {
      if (nowMs >= this.#warmMs && nowMs < this.#endMs) this.#answeredInTime++
      if (intendedMs >= this.#warmMs) kind.tally.record(nowMs, { intendedMs, sentMs: sentMs - this.#startedMs })
    }
    const isInLane = kind.lanes !== undefined
    const isClosed = isInLane || this.#settings.pace.kind === 'closed'
    if (isClosed && (nowMs < this.#endMs || this.#hasNothing(what)))
      this.#send(isInLane ? kind : this.#nextKind(), nowMs)
    else this.#endIfAlone()
  }

  /** A closed loop whose time was too short for one call goes on until it has one: a histogram of nothing has no percentiles. */
  #hasNothing(failure) {
    return failure === null && this.#inFlight === 0 && this.#kinds.every(({ tally }) => tally.completed === 0)
  }

  #beginCpu() {
    this.#cpu = { begin: process.cpuUsage(), beginMs: this.#now(), look: this.#look() }
  }

  #look() {
    const { watched } = this.#settings
    return watched && { calls: this.#calls, ...lookAtProcessors({ ...watched, load: [process.pid] }) }
  }

  #timeIsUp() {
    // What has not been sent because this process was late.
    this.#schedule?.run(this.#endMs)
    // After a stall the timers may come in either order.
    if (this.#cpu === undefined) this.#beginCpu()
    const { user, system } = process.cpuUsage(this.#cpu.begin)
    this.#cpu.seconds = (user + system) / 1e6
    this.#cpu.share = this.#cpu.seconds / ((this.#now() - this.#cpu.beginMs) / 1000)
    if (this.#cpu.look !== undefined) this.#cpu.account = this.#accounted(this.#cpu.look, this.#look())
    this.#endIfAlone()
  }

  #accounted(begin, end) {
    const { atMicros: beganMicros } = begin
    return { ...accountBetween(begin, end), calls: end.calls - begin.calls, beganMicros, endedMicros: end.atMicros }
  }

  /** It is over when the timer has said so, and not by the clock: the timer may come a little before its time, or long after it. */
  #endIfAlone() {
    if (this.#inFlight === 0 && this.#cpu?.seconds !== undefined) this.#ended()
  }

  #giveUp() {
    assert(this.#inFlight > 0, 'a load goes on although every call has ended')
    for (let call = 0; call < this.#inFlight; call++) this.#kinds[0].tally.fail('lost: no answer, and no failure')
    this.#ended()
  }

  #result(seconds) {
    const byName = this.#kinds.map(({ name, tally }) => [name, tally])
    const completed = this.#kinds.reduce((sum, { tally }) => sum + tally.completed, 0)
    const untilNowSeconds = (this.#now() - this.#warmMs) / 1000
    return {
      perSecond: this.#answeredInTime > 0 ? this.#answeredInTime / seconds : completed / untilNowSeconds,
      calls: this.#calls,
      answerBytes: this.#answerBytes,
      cpuSeconds: this.#cpu.seconds,
      cpuShare: this.#cpu.share,
      account: this.#cpu.account,
      byName,
    }
  }
}
