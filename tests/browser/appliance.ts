// A real appliance process beside a station, and a time server on the loopback. The process may not touch the clock of this
// machine: it runs without the right to (CAP_SYS_TIME), also where tests run as root.
import { spawn, type ChildProcess } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'

const program = process.env['HOOKLINE'] ?? resolve(import.meta.dirname, '../../target/release/hookline')
const START_MS = 10_000

export interface Running {
  stop: () => Promise<void>
}

/** Answers at that socket, and keeps what it is told in that folder. */
export async function startAppliance(socket: string, data: string): Promise<Running> {
  const command = [program, 'appliance', '--socket', socket, '--data', data]
  const drop = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-sys_time', '--inh-caps=-sys_time'] : []
  const [first = program, ...rest] = [...drop, ...command]
  const child: ChildProcess = spawn(first, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const began = Date.now()
  while (!said.includes('appliance: ')) {
    if (child.exitCode !== null || Date.now() - began > START_MS)
      throw new Error(`the appliance process did not start:\n${said}`)
    await new Promise((done) => setTimeout(done, 50))
  }
  return {
    stop: async () => {
      child.kill('SIGTERM')
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}

const NTP_TO_1970_S = 2_208_988_800

function ntp(ms: number): Buffer {
  const out = Buffer.alloc(8)
  const seconds = Math.floor(ms / 1000)
  out.writeUInt32BE((seconds + NTP_TO_1970_S) >>> 0, 0)
  out.writeUInt32BE(Math.floor(((ms - seconds * 1000) / 1000) * 2 ** 32), 4)
  return out
}

/** Tells the time of this machine, and `liesMs` more. */
export async function startTimeServer(liesMs = 0): Promise<Running & { name: string }> {
  const socket = createSocket('udp4')
  socket.on('message', (question, from) => {
    const now = () => ntp(performance.timeOrigin + performance.now() + liesMs)
    const answer = Buffer.alloc(48)
    answer.set([0b00_100_100, 1, 4, 0xec])
    answer.write('TEST', 12)
    question.copy(answer, 24, 40, 48)
    now().copy(answer, 32)
    now().copy(answer, 40)
    socket.send(answer, from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address() as AddressInfo
  return {
    name: `127.0.0.1:${port}`,
    stop: async () => {
      socket.close()
      await once(socket, 'close')
    },
  }
}
