/**
 * A real redis-server in a process of its own, on loopback, in a folder of its own, and what can happen to it: it ends, is
 * killed, hangs, and comes back on the same port with the same data.
 *
 * It ends with the process that started it, by its pid, unless it is told to stay.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endWithThisProcess, forget } from '../ends-with-us.mjs'
import { redisFault } from './ensure-installed.mjs'
import { freePort } from './free-port.mjs'
import { replyText, request } from './resp.mjs'
import { until } from './until.mjs'

const START_MS = 15_000
const STOP_MS = 15_000
const PORT_ATTEMPTS_MAX = 5
const PORT_TAKEN = /Address already in use|bind: /

export async function startRedis(options = {}) {
  const ownDir = options.dir === undefined
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'twinstore-redis-'))
  mkdirSync(dir, { recursive: true })
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort())
    const redis = new RedisProcess({ ...options, port, dir, ownDir })
    try {
      await redis.start()
      return redis
    } catch (error) {
      const retry = options.port === undefined && attempt < PORT_ATTEMPTS_MAX && PORT_TAKEN.test(error.message)
      if (retry) continue
      await redis.dispose()
      throw error
    }
  }
}

class RedisProcess {
  #options
  #child
  #exited
  #paused = false

  constructor(options) {
    this.#options = options
    this.port = options.port
    this.dir = options.dir
    this.url = `redis://127.0.0.1:${options.port}/0`
  }

  get pid() {
    return this.#child?.pid
  }

  get state() {
    if (this.#child === undefined) return 'stopped'
    return this.#paused ? 'paused' : 'running'
  }

  async start() {
    const { port, dir, password, args = [], detached = false } = this.#options
    const flags = ['--port', port, '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--daemonize', 'no']
    if (password !== undefined) flags.push('--requirepass', password, '--masterauth', password)
    const log = openSync(this.#logFile(), 'w')
    const child = spawn('redis-server', [...flags, ...args].map(String), { stdio: ['ignore', log, log], detached })
    closeSync(log)
    this.#child = child
    this.#exited = new Promise((resolve) => {
      const ended = () => {
        forget(this)
        if (this.#child === child) this.#child = undefined
        this.#paused = false
        resolve()
      }
      child.once('exit', ended).once('error', ended)
    })
    endWithThisProcess(this)
    if (child.pid === undefined) {
      const [error] = await once(child, 'error')
      throw new Error(redisFault() ?? `redis-server cannot be started: ${error.message}`, { cause: error })
    }
    await this.#answers()
  }

  async stop() {
    const child = this.#child
    if (child === undefined) return
    this.resume()
    child.kill('SIGTERM')
    // Redis waits up to 10 s for replicas that lag.
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await this.#exited
    clearTimeout(late)
  }

  async kill() {
    const exited = this.#exited
    this.#child?.kill('SIGKILL')
    await exited
  }

  pause() {
    this.#paused = this.#child?.kill('SIGSTOP') ?? false
  }

  resume() {
    this.#child?.kill('SIGCONT')
    this.#paused = false
  }

  async restart() {
    await this.stop()
    await this.start()
  }

  request(...args) {
    return request({ port: this.port, password: this.#options.password }, args)
  }

  async command(...args) {
    return replyText(await this.request(...args))
  }

  async dispose() {
    await this.kill()
    if (this.#options.ownDir) rmSync(this.dir, { recursive: true, force: true })
  }

  leaveRunning() {
    forget(this)
    this.#child?.unref()
  }

  endAtOnce() {
    this.#child?.kill('SIGKILL')
    if (this.#options.ownDir) rmSync(this.dir, { recursive: true, force: true, maxRetries: 3 })
  }

  async #answers() {
    await until(`redis-server on port ${this.port}`, START_MS, async () => {
      if (this.#child === undefined) return 'ended'
      return await this.#isReady()
    })
    if (this.#child === undefined) {
      const log = readFileSync(this.#logFile(), 'utf8').trim().split('\n').slice(-10).join('\n')
      throw new Error(`redis-server ended before it answered on port ${this.port}:\n${log}`)
    }
  }

  /** Not just any server on its port: another one's answer must not stand in for one that could not bind. */
  async #isReady() {
    try {
      return (await this.command('INFO', 'server')).includes(`process_id:${this.pid}\r`) && (await this.#isLoaded())
    } catch (error) {
      // Flags of the test that ask for a login which this process does not have.
      if (/^(NOAUTH|NOPERM|WRONGPASS)/.test(error.message)) return true
      throw error
    }
  }

  async #isLoaded() {
    return (await this.command('PING')) === 'PONG'
  }

  #logFile() {
    return join(this.dir, 'redis.log')
  }
}
