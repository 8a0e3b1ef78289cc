// A platform of its own for each worker, with one station that is registered and synchronising, or with nothing in it.
import { request, test as base, type APIRequestContext } from '@playwright/test'
import {
  collectComplaints,
  openSession,
  startPlatform,
  startStation,
  type SessionState,
  type Station,
} from './station'

const START_MS = 120_000

/** Requests to a box as one who is logged in. */
export interface Api {
  get: <T>(path: string) => Promise<T>
  send: <T>(method: 'POST' | 'PATCH' | 'DELETE', path: string, data: object) => Promise<T>
  dispose: () => Promise<void>
}

export async function apiOf(box: Station, session: SessionState): Promise<Api> {
  const context: APIRequestContext = await request.newContext({
    baseURL: box.url,
    ignoreHTTPSErrors: true,
    storageState: session,
  })
  const get = async <T>(path: string): Promise<T> => {
    const answer = await context.get(`/api/v1${path}`)
    if (!answer.ok()) throw new Error(`GET ${path}: ${await answer.text()}`)
    return (await answer.json()) as T
  }
  const send = async <T>(method: string, path: string, data: object): Promise<T> => {
    const { csrf } = await get<{ csrf: string }>('/session')
    const headers = { 'X-Hookline-CSRF': csrf, Origin: box.url }
    const answer = await context.fetch(`/api/v1${path}`, { method, data, headers })
    if (!answer.ok()) throw new Error(`${method} ${path}: ${await answer.text()}`)
    return (answer.status() === 204 ? undefined : await answer.json()) as T
  }
  return { get, send, dispose: () => context.dispose() }
}

/** Asks until `fits`, for as long as a start may take. */
export async function until<T>(
  what: string,
  ask: () => Promise<T>,
  fits: (answer: T) => boolean,
): Promise<T> {
  const began = Date.now()
  for (;;) {
    const answer = await ask()
    if (fits(answer)) return answer
    if (Date.now() - began > START_MS) throw new Error(`${what}: not within ${START_MS} ms`)
    await new Promise((done) => setTimeout(done, 250))
  }
}

const told = (box: Station, name: string): string => {
  const value = new RegExp(`^${name}: (.+)$`, 'm').exec(box.said())?.[1]
  if (!value) throw new Error(`the platform did not tell its ${name}:\n${box.said()}`)
  return value.trim()
}

/** The station dials the platform, whose key it accepts; the platform does not know it yet. */
export async function dial(
  station: Station,
  session: SessionState,
  platform: Station,
): Promise<{ serial: string; fingerprint: string }> {
  const api = await apiOf(station, session)
  const { serial } = await api.get<{ serial: string }>('/box')
  const settings = {
    switched_on: true,
    address: told(platform, 'intake'),
    fingerprint: told(platform, 'key'),
  }
  const link = await api.send<{ own_fingerprint: string }>('PATCH', '/settings/platform', { settings })
  await api.dispose()
  return { serial, fingerprint: link.own_fingerprint }
}

interface PerWorker {
  /** A name makes a file's tests run on a platform and a station of their own, whatever ran before. */
  own: string
  platform: Station
  session: SessionState
  api: Api
  /** A station with the demo scenario that dials this platform. */
  station: Station
  /** Of its pages. */
  stationSession: SessionState
  /** It, registered and connected, with its first recordings here. */
  joined: { serial: string }
}

interface PerTest {
  complaints: string[]
}

export const test = base.extend<PerTest, PerWorker>({
  own: ['', { scope: 'worker', option: true }],
  platform: [
    // eslint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
    async ({}, use) => {
      const platform = await startPlatform()
      await use(platform)
      await platform.stop()
    },
    { scope: 'worker', timeout: START_MS },
  ],
  session: [async ({ platform }, use) => use(await openSession(platform)), { scope: 'worker' }],
  api: [
    async ({ platform, session }, use) => {
      const api = await apiOf(platform, session)
      await use(api)
      await api.dispose()
    },
    { scope: 'worker' },
  ],
  station: [
    // eslint-disable-next-line no-empty-pattern -- as above
    async ({}, use) => {
      const station = await startStation()
      await use(station)
      await station.stop()
    },
    { scope: 'worker', timeout: START_MS },
  ],
  stationSession: [async ({ station }, use) => use(await openSession(station)), { scope: 'worker' }],
  joined: [
    async ({ platform, api, station, stationSession }, use) => {
      const { serial, fingerprint } = await dial(station, stationSession, platform)
      await api.send('POST', '/departments', { name: '市局', prefix: 'SJ', code: '320100000000' })
      await api.send('POST', '/departments', { name: '城中分局', prefix: 'CZ', parent: '市局' })
      await api.send('POST', '/devices', { serial, name: '城中派出所', department: '城中分局', fingerprint })
      await until(
        'the station is connected',
        () => api.get<{ online: boolean }>(`/devices/${serial}`),
        ({ online }) => online,
      )
      await until(
        'its first recording with sound is here',
        () => api.get<{ items: { has_audio: boolean }[] }>('/recordings'),
        ({ items }) => items.some(({ has_audio }) => has_audio),
      )
      await use({ serial })
    },
    { scope: 'worker', timeout: START_MS },
  ],
  baseURL: async ({ platform }, use) => use(platform.url),
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
