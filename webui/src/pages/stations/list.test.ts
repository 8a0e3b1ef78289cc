import { describe, expect, it } from 'vitest'
import type { Department, Device, PullNow } from '@/api'
import { stateOf } from '@/station-state'
import { found, stateCounts, type Asked } from './list'

const NONE: Asked = { text: '', state: '', department: '', order: 'name', back: false }

const station = (serial: string, over: Partial<Device> = {}): Device => ({
  serial,
  name: serial,
  department: null,
  fingerprint: null,
  pinned: true,
  switched_on: true,
  online: true,
  address: null,
  connected_since: null,
  last_synchronised: null,
  waiting: null,
  progress: null,
  disk: null,
  ports: { total: 8, recording: 0, peak: 0 },
  alarms: { critical: 0, minor: 0, notice: 0 },
  release: null,
  clock_offset_s: null,
  limits: { audio_bytes_per_s: null, quiet_hours: null },
  may_manage: true,
  other_key: null,
  pull: { settings: null, now: null },
  trouble: null,
  note: '',
  ...over,
})
const department = (name: string, parent: string | null): Department => ({
  name,
  prefix: name.slice(0, 4).toUpperCase(),
  parent,
  code: null,
  devices: 0,
  accounts: 0,
})
const serials = (list: readonly Device[]) => list.map(({ serial }) => serial)

describe('the list of stations', () => {
  const departments = [department('City', null), department('East', 'City'), department('Other', null)]
  const list = [
    station('A', { department: 'East', address: '10.0.0.7', alarms: { critical: 0, minor: 3, notice: 0 } }),
    station('B', { department: 'City', online: false, alarms: { critical: 1, minor: 0, notice: 0 } }),
    station('C', { switched_on: false, online: false, disk: { free_bytes: 1, total_bytes: 10 } }),
  ]

  it('is filtered by what stands on the page', () => {
    expect(serials(found(list, { ...NONE, text: ' 10.0.' }, departments))).toEqual(['A'])
    expect(serials(found(list, { ...NONE, state: 'offline' }, departments))).toEqual(['B'])
    expect(serials(found(list, { ...NONE, state: 'off' }, departments))).toEqual(['C'])
    expect(serials(found(list, { ...NONE, state: 'alarm' }, departments))).toEqual(['A', 'B'])
  })

  it('takes a department with those below it', () => {
    expect(serials(found(list, { ...NONE, department: 'City' }, departments))).toEqual(['A', 'B'])
    expect(serials(found(list, { ...NONE, department: 'East' }, departments))).toEqual(['A'])
    expect(serials(found(list, { ...NONE, department: 'Other' }, departments))).toEqual([])
  })

  it('puts the worst first, and the rest by name', () => {
    expect(serials(found(list, { ...NONE, order: 'alarms' }, departments))).toEqual(['B', 'A', 'C'])
    expect(serials(found(list, { ...NONE, order: 'state' }, departments))).toEqual(['B', 'A', 'C'])
    expect(serials(found(list, { ...NONE, order: 'disk', back: true }, departments))).toEqual(['B', 'A', 'C'])
  })

  it('has those that never synchronised last', () => {
    const late = station('D', { last_synchronised: '2026-03-01T08:00:00.000+08:00' })
    const early = station('E', { last_synchronised: '2026-02-01T08:00:00.000+08:00' })
    expect(serials(found([station('A'), early, late], { ...NONE, order: 'sync' }, []))).toEqual([
      'D',
      'E',
      'A',
    ])
  })

  it('tells one that is fetched from apart from one that is lost', () => {
    const settings = { address: '192.0.2.7', every_hours: 4, certificate: null }
    const now: PullNow = {
      state: 'waiting',
      last_success: null,
      last_try: null,
      next: null,
      trouble: null,
      offered_certificate: null,
      progress: null,
      dials: false,
    }
    const fetched = station('F', { online: false, pull: { settings, now } })
    const asNet = station('N', { online: false, pull: { settings, now: { ...now, dials: true } } })
    const visited = station('V', { pull: { settings, now } })
    const off = station('O', { online: false, switched_on: false, pull: { settings, now } })
    expect([fetched, asNet, visited, off].map(stateOf)).toEqual(['fetched', 'offline', 'online', 'off'])
    expect(serials(found([fetched, asNet], { ...NONE, state: 'offline' }, []))).toEqual(['N'])
    expect(serials(found([fetched, station('D')], { ...NONE, text: '192.0.2.' }, []))).toEqual(['F'])
  })

  it('counts each state', () => {
    expect(stateCounts(list)).toEqual({ online: 1, offline: 1, fetched: 0, off: 1, alarm: 2 })
  })
})
