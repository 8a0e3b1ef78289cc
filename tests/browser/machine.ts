// The privileged half of a box, as far as its pages need it: the real appliance process on a bus of its own, with a networkd
// that is played and a faked `/sys`. It sets nothing of this machine.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const built = resolve(import.meta.dirname, '../../target/release')
const program = process.env['HOOKLINE'] ?? join(built, 'hookline')
const played = join(built, 'examples/played_networkd')
const START_MS = 20_000

export interface Machine {
  /** Where the appliance process answers. */
  socket: string
  /** As a crash: nothing is put in order. */
  kill: () => Promise<void>
  startAgain: () => Promise<void>
  stop: () => Promise<void>
}

/** The rest of the line on which a process says `name: …`. */
async function told(child: ChildProcess, name: string): Promise<string> {
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const began = Date.now()
  for (;;) {
    const value = new RegExp(`^${name}: (.+)$`, 'm').exec(said)?.[1]
    if (value) return value
    if (child.exitCode !== null || Date.now() - began > START_MS)
      throw new Error(`it did not tell its ${name}:\n${said}`)
    await new Promise((done) => setTimeout(done, 50))
  }
}

/** `confirmWithin`: seconds for which a change of the network is tried. */
export async function startMachine(confirmWithin: number): Promise<Machine> {
  if (!existsSync(played))
    throw new Error(
      `${played} is missing: run 'cargo build --release -p hookline-appliance --examples' first.`,
    )
  const folder = await mkdtemp(join(tmpdir(), 'hookline-machine-'))
  await chmod(folder, 0o755)
  const socket = join(folder, 'appliance.sock')
  const networkd = spawn(played, [join(folder, 'root')], { stdio: ['pipe', 'pipe', 'pipe'] })
  const bus = await told(networkd, 'bus')
  const start = async () => {
    const places = ['--socket', socket, '--data', join(folder, 'kept'), '--root', join(folder, 'root')]
    const command = [program, 'appliance', ...places, '--confirm-within', String(confirmWithin)]
    // Without the right to touch the clock of this machine, also where tests run as root.
    const drop =
      process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-sys_time', '--inh-caps=-sys_time'] : []
    const [first = program, ...rest] = [...drop, ...command]
    const child = spawn(first, rest, {
      env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: bus },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    await told(child, 'appliance')
    return child
  }
  let running = await start()
  const kill = async () => {
    running.kill('SIGKILL')
    await once(running, 'exit')
  }
  return {
    socket,
    kill,
    startAgain: async () => {
      running = await start()
    },
    stop: async () => {
      if (running.exitCode === null && running.signalCode === null) await kill()
      networkd.stdin.end()
      await once(networkd, 'exit')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
