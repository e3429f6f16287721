/**
 * A real S3 server on loopback, with users and buckets, and what can happen to it: it ends, hangs, and its users are many.
 *
 * It is Ceph's gateway over a cluster of one monitor and one daemon that keeps objects in memory; a start takes a second or two, so
 * that each test file has one of its own. All of it ends with the process that started it, by process ids.
 */
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { endWithThisProcess, forget } from '../ends-with-us.mjs'
import { freePorts } from '../redis/free-port.mjs'
import { until } from '../redis/until.mjs'
import { cephConf, monitorAddress } from './ceph-conf.mjs'
import { s3Fault } from './ensure-installed.mjs'

// The SDK's word on future versions of it is nothing that a test shows.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'

const START_MS = 60_000
const COMMAND_MS = 60_000
const STARTS_MAX = 4
const REGION = 'us-east-1'

export async function startS3Server() {
  const fault = s3Fault()
  if (fault !== undefined) throw new Error(fault)
  for (let attempt = 1; ; attempt++) {
    const server = new S3Server(await clusterPorts())
    try {
      await server.start()
      return server
    } catch (error) {
      const logs = server.lastLogLines()
      await server.dispose()
      // A port may be somebody else's by the time it is used; anything else fails again and is told.
      if (attempt === STARTS_MAX || !/Address already in use|bind/i.test(logs)) {
        throw new Error(`the S3 server did not start: ${error.message}\n${logs}`, { cause: error })
      }
    }
  }
}

async function clusterPorts() {
  const first = await freePorts(3)
  return { monitor: first, monitorOld: first + 1, gateway: first + 2 }
}

class S3Server {
  #dir = mkdtempSync(join(tmpdir(), 'twinstore-s3-'))
  #ports
  #children = new Map()
  #owner

  constructor(ports) {
    this.#ports = ports
    this.endpoint = `http://127.0.0.1:${ports.gateway}`
    this.region = REGION
  }

  async start() {
    endWithThisProcess(this)
    const fsid = randomUUID()
    writeFileSync(this.#file('ceph.conf'), cephConf({ dir: this.#dir, fsid, ports: this.#ports }))
    for (const folder of ['osd', 'rgw', 'crash']) mkdirSync(this.#file(folder))
    this.#makeKeyring()
    const monitors = ['--create', '--fsid', fsid, '--addv', 'a', monitorAddress(this.#ports), this.#file('monmap')]
    run('monmaptool', monitors)
    this.#ceph('ceph-mon', '-i', 'a', '--mkfs', '--monmap', this.#file('monmap'), '--keyring', this.#file('keyring'))
    this.#daemon('ceph-mon', '-i', 'a')
    const osdId = randomUUID()
    this.#ceph('ceph', '--connect-timeout', String(START_MS / 1000), 'osd', 'new', osdId)
    this.#ceph('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osdId)
    this.#daemon('ceph-osd', '-i', '0')
    this.#owner = this.addUser()
    this.#daemon('radosgw', '-n', 'client.rgw')
    await until('the S3 server', START_MS, async () => {
      this.#refuseEnded()
      return (await fetch(this.endpoint)).ok
    })
  }

  get credentials() {
    return this.#owner
  }

  addUser() {
    const name = `user-${randomBytes(4).toString('hex')}`
    const credentials = {
      accessKeyId: randomBytes(10).toString('hex'),
      secretAccessKey: randomBytes(20).toString('hex'),
    }
    const keys = ['--access-key', credentials.accessKeyId, '--secret-key', credentials.secretAccessKey]
    this.#ceph('radosgw-admin', '-n', 'client.rgw', 'user', 'create', '--uid', name, '--display-name', name, ...keys)
    return credentials
  }

  async makeBucket() {
    const name = `bucket-${randomBytes(6).toString('hex')}`
    const client = new S3Client({
      endpoint: this.endpoint,
      region: REGION,
      forcePathStyle: true,
      credentials: this.#owner,
    })
    await client.send(new CreateBucketCommand({ Bucket: name }))
    client.destroy()
    return name
  }

  environment(credentials = this.#owner) {
    return { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey }
  }

  pause() {
    this.#children.get('radosgw').kill('SIGSTOP')
  }

  resume() {
    this.#children.get('radosgw').kill('SIGCONT')
  }

  async dispose() {
    const ended = [...this.#children.values()].map(
      (child) => child.exitCode ?? child.signalCode ?? new Promise((resolve) => child.once('exit', resolve)),
    )
    this.#killAll()
    await Promise.all(ended)
    forget(this)
    rmSync(this.#dir, { recursive: true, force: true })
  }

  /** Objects are in memory and nobody wants them any more: nothing has to be ended gently. */
  endAtOnce() {
    this.#killAll()
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 3 })
  }

  lastLogLines() {
    const logs = [...this.#children.keys()].map((name) => {
      const lines = readFileSync(this.#file(`${name}.log`), 'utf8')
        .trim()
        .split('\n')
      return `${name}:\n${lines.slice(-8).join('\n')}`
    })
    return logs.join('\n')
  }

  #makeKeyring() {
    const add = (name, ...capabilities) => {
      const caps = capabilities.flatMap(([service, what]) => ['--cap', service, what])
      const create = name === 'mon.' ? ['--create-keyring'] : []
      run('ceph-authtool', [...create, this.#file('keyring'), '--gen-key', '-n', name, ...caps])
    }
    add('mon.', ['mon', 'allow *'])
    add('client.admin', ['mon', 'allow *'], ['osd', 'allow *'])
    add('client.rgw', ['mon', 'allow *'], ['osd', 'allow *'])
    add('osd.0', ['mon', 'allow profile osd'], ['osd', 'allow *'])
  }

  #ceph(program, ...args) {
    run(program, ['-c', this.#file('ceph.conf'), ...args])
  }

  #daemon(program, ...args) {
    const log = openSync(this.#file(`${program}.log`), 'w')
    const child = spawn(program, ['-c', this.#file('ceph.conf'), '-f', ...args], { stdio: ['ignore', log, log] })
    closeSync(log)
    this.#children.set(program, child)
  }

  #refuseEnded() {
    for (const [name, { exitCode, signalCode }] of this.#children) {
      if (exitCode !== null || signalCode !== null) throw new Error(`${name} ended (${signalCode ?? exitCode})`)
    }
  }

  #killAll() {
    for (const child of this.#children.values()) child.kill('SIGKILL')
  }

  #file(name) {
    return join(this.#dir, name)
  }
}

function run(program, args) {
  const { status, error, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: COMMAND_MS })
  if (status === 0) return
  throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? `exit code ${status}`}\n${stderr ?? ''}`)
}
