// A station of its own for each worker: the real binary on a free port with a new data folder, and pages logged in to it.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { request, test as base, type APIRequestContext, type Page } from '@playwright/test'
import { demo } from './demo'

const program = process.env['HOOKLINE'] ?? resolve(import.meta.dirname, '../../target/release/hookline')
const START_MS = 20_000
const STOP_MS = 15_000

export const PASSWORD = 'a quiet duty room'

export type Language = 'zh-CN' | 'zh-TW' | 'en'
export const LANGUAGES: readonly Language[] = ['zh-CN', 'zh-TW', 'en']

export interface Station {
  url: string
  firstPassword: string
  /** What it has written for its installer. */
  said: () => string
  stop: () => Promise<void>
  /** Stops without a word, as a pulled cable does: connections stay open and nothing comes. */
  freeze: () => void
  thaw: () => void
  /** Starts again on the same address and data folder, and lets `meanwhile` at the folder; sessions are gone. */
  restart: (meanwhile?: (data: string) => Promise<unknown>) => Promise<void>
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function ended(child: ChildProcess): Promise<unknown> {
  return child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : once(child, 'exit')
}

/** Runs the binary in a role and waits until it has told the address of its pages; gives what it said. */
async function launch(...role: string[]): Promise<{ child: ChildProcess; said: () => string }> {
  const child = spawn(program, [...role, '--http', 'none'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  const listen = (chunk: Buffer) => (said += chunk.toString())
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  const began = Date.now()
  while (!/pages: /.test(said)) {
    if (child.exitCode !== null) throw new Error(`the ${role[0]} ended with ${child.exitCode}:\n${said}`)
    if (Date.now() - began > START_MS)
      throw new Error(`the ${role[0]} did not start in ${START_MS} ms:\n${said}`)
    await new Promise((done) => setTimeout(done, 50))
  }
  return { child, said: () => said }
}

/** Whether it stopped by itself in time. */
async function end(child: ChildProcess): Promise<boolean> {
  child.kill('SIGCONT')
  child.kill('SIGTERM')
  const gone = await Promise.race([
    ended(child).then(() => true),
    new Promise<boolean>((done) => setTimeout(() => done(false), STOP_MS)),
  ])
  if (!gone) child.kill('SIGKILL')
  await ended(child)
  return gone
}

/** A new station: its first password is still the one that it told. */
export const startStation = (...options: string[]): Promise<Station> =>
  startBox('station', '--scenario', demo, ...options)

/** A new station without anything to record. */
export const startEmptyStation = (): Promise<Station> => startBox('station')

/** A new platform, likewise; stations dial in at a free port. */
export const startPlatform = (...options: string[]): Promise<Station> =>
  startBox('platform', '--intake', '127.0.0.1:0', ...options)

async function startBox(...role: string[]): Promise<Station> {
  if (!existsSync(program))
    throw new Error(`${program} is missing: run 'cargo build --release -p hookline' first.`)
  const data = await mkdtemp(join(tmpdir(), 'hookline-browser-'))
  const https = `127.0.0.1:${await freePort()}`
  const start = () => launch(...role, '--data', data, '--https', https)
  let running = await start()
  const firstPassword = /password: (\S+)/.exec(running.said())?.[1]
  if (!firstPassword) throw new Error(`the ${role[0]} told no first password:\n${running.said()}`)
  return {
    url: `https://${https}`,
    firstPassword,
    said: () => running.said(),
    freeze: () => void running.child.kill('SIGSTOP'),
    thaw: () => void running.child.kill('SIGCONT'),
    restart: async (meanwhile) => {
      await end(running.child)
      await meanwhile?.(data)
      running = await start()
    },
    stop: async () => {
      const gone = await end(running.child)
      await rm(data, { recursive: true, force: true })
      if (!gone) throw new Error(`the ${role[0]} did not stop in ${STOP_MS} ms:\n${running.said()}`)
    },
  }
}

export type SessionState = Awaited<ReturnType<APIRequestContext['storageState']>>

/** Logs in over the interface, changes the first password, and keeps the session as a browser would. */
export async function openSession(station: Station): Promise<SessionState> {
  const api = await request.newContext({ baseURL: station.url, ignoreHTTPSErrors: true })
  const answer = await api.post('/api/v1/login', { data: { name: 'admin', password: station.firstPassword } })
  if (!answer.ok()) throw new Error(`the first login was refused: ${answer.status()} ${await answer.text()}`)
  const { csrf } = (await answer.json()) as { csrf: string }
  const changed = await api.post('/api/v1/password', {
    data: { old: station.firstPassword, new: PASSWORD },
    headers: { 'X-Hookline-CSRF': csrf, Origin: station.url },
  })
  if (!changed.ok()) throw new Error(`the first password could not be changed: ${await changed.text()}`)
  const state = await api.storageState()
  await api.dispose()
  return state
}

interface PerWorker {
  /** A name makes a file's tests run on a station of their own, in the first minutes of its demo. */
  own: string
  station: Station
  session: SessionState
}

/** What a page must never do: fail in the console. Collected by every page that a test opens. */
interface PerTest {
  complaints: string[]
}

export const test = base.extend<PerTest, PerWorker>({
  own: ['', { scope: 'worker', option: true }],
  station: [
    // eslint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
    async ({}, use) => {
      const station = await startStation()
      await use(station)
      await station.stop()
    },
    { scope: 'worker', timeout: START_MS + STOP_MS },
  ],
  session: [async ({ station }, use) => use(await openSession(station)), { scope: 'worker' }],
  baseURL: async ({ station }, use) => use(station.url),
  storageState: async ({ session }, use) => use(session),
  complaints: [
    async ({ page }, use) => {
      const complaints = collectComplaints(page)
      await use(complaints)
      base.expect(complaints, 'errors and warnings in the console').toEqual([])
    },
    { auto: true },
  ],
})

export const expect = test.expect

/** Errors and warnings of a page. A refused first look for a session is how a page
 *  learns that nobody is logged in; 503 is told where nobody does what needs root. */
export function collectComplaints(page: Page): string[] {
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type())) return
    const expected = message.location().url.includes('/api/v1/') && /status of (4|503)/.test(message.text())
    if (!expected) complaints.push(message.text())
  })
  return complaints
}

/** What is on the main part of a page, once it has loaded. */
export async function shown(page: Page): Promise<void> {
  await expect(
    page.locator('main :is(table, dl, .tiles, .rules, label[for^="box-"], [role=status])').first(),
  ).toBeVisible()
  await expect(page.locator('main .loading')).toHaveCount(0)
}

/** A state-changing request as the page's own session. */
export async function change(
  page: Page,
  method: 'POST' | 'PATCH' | 'DELETE',
  path: string,
  data: object,
): Promise<void> {
  const { csrf } = (await (await page.request.get('/api/v1/session')).json()) as { csrf: string }
  const url = new URL(page.url())
  const origin = url.protocol === 'https:' ? url.origin : undefined
  const headers = { 'X-Hookline-CSRF': csrf, ...(origin ? { Origin: origin } : {}) }
  const answer = await page.request.fetch(`/api/v1${path}`, { method, data, headers })
  if (!answer.ok()) throw new Error(`${method} ${path}: ${await answer.text()}`)
}

/** Logs in on the login page with a first password and replaces it. */
export async function enterFirst(page: Page, name: string, first: string): Promise<void> {
  await page.fill('[name=name]', name)
  await page.fill('[name=password]', first)
  await page.click('[type=submit]')
  await page.fill('[name=new]', PASSWORD)
  await page.fill('[name=again]', PASSWORD)
  await page.click('[type=submit]')
}

export async function speak(page: Page, language: Language): Promise<void> {
  await page.addInitScript((code) => localStorage.setItem('hookline.language', code), language)
}
