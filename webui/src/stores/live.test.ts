import { beforeEach, describe, expect, it } from 'vitest'
import type { LiveMessage, Meter, Port } from '@/api'
import { alarmCounts, levelsOf, onLevels, port, ports, recordsMade, takeMessage } from './live'

const TIME = '2026-03-01T08:00:00.000+08:00'
const NO_ALARMS = { critical: 0, minor: 0, notice: 0 }

const idle = (number: number): Port => ({
  port: number,
  name: `desk ${number}`,
  line_number: `80${number}`,
  two_track: number === 2,
  state: 'idle',
  since: TIME,
  peer_number: null,
  peer_name: null,
  peer_contact: null,
  port_contact: null,
  call_type: 'unknown',
  call_id: null,
  recording_since: null,
})
const meter = (near: number, far: number | null, volts: number): Meter => [near, far, volts, 0, 5, 52]

const all = (): LiveMessage => ({
  type: 'all',
  time: TIME,
  alarms: NO_ALARMS,
  records: 7,
  ports: [idle(3), idle(1), idle(2)],
  meters: [meter(-90, null, 48), meter(-90, null, 47), meter(-20, -30, 46)],
})
const change = (over: Partial<Extract<LiveMessage, { type: 'change' }>>): LiveMessage => ({
  type: 'change',
  time: TIME,
  alarms: NO_ALARMS,
  records: 7,
  ports: [],
  meters: [meter(-90, null, 48), meter(-90, null, 47), meter(-20, -30, 46)],
  ...over,
})

describe('the live push', () => {
  beforeEach(() => {
    takeMessage(all())
  })

  it('keeps the order of the box, whatever happens on the lines', () => {
    takeMessage(change({ ports: [{ ...idle(2), state: 'recording', recording_since: TIME }] }))
    expect(ports.value.map((one) => one.port)).toEqual([3, 1, 2])
    expect(port(2)?.state).toBe('recording')
    expect(port(3)?.state).toBe('idle')
  })

  it('changes a port in place, so that only its own tile is drawn again', () => {
    const before = port(1)
    takeMessage(change({ ports: [{ ...idle(1), state: 'ringing' }] }))
    expect(port(1)).toBe(before)
  })

  it('finds levels and voltage by port, not by place', () => {
    expect(levelsOf(2)).toEqual([-20, -30])
    expect(levelsOf(99)).toEqual([-90, null])
    expect(port(1)?.volts).toBe(47)
    expect(port(1)?.max_volts).toBe(52)
  })

  it('tells who listens that levels came, until they stop listening', () => {
    let told = 0
    const stop = onLevels(() => (told += 1))
    takeMessage(change({}))
    stop()
    takeMessage(change({}))
    expect(told).toBe(1)
  })

  it('carries alarms and the count of records', () => {
    takeMessage(change({ alarms: { critical: 2, minor: 0, notice: 1 }, records: 8 }))
    expect(alarmCounts.value.critical).toBe(2)
    expect(recordsMade.value).toBe(8)
  })

  it('leaves a port alone that it does not know', () => {
    takeMessage(change({ ports: [idle(40)] }))
    expect(port(40)).toBeUndefined()
  })
})
