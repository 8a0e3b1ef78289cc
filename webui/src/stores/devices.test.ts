import { beforeEach, describe, expect, it } from 'vitest'
import type { Device, DevicePort, LivePlatformMessage } from '@/api'
import { recordsMade, takeMessage } from './live'
import {
  device,
  devices,
  devicesKnown,
  forgetDevice,
  takeDevice,
  waitingCount,
  watchDevice,
  watchedPorts,
} from './devices'

const TIME = '2026-03-01T08:00:00.000+08:00'
const NO_ALARMS = { critical: 0, minor: 0, notice: 0 }

const station = (serial: string, name: string, online = true) =>
  ({ serial, name, online, switched_on: true, alarms: NO_ALARMS }) as Device

const common = { time: TIME, alarms: NO_ALARMS, waiting: 2, records: 7, ports: null }
const all = (...list: Device[]): LivePlatformMessage => ({ ...common, type: 'all', devices: list })
const change = (list: Device[], over = {}): LivePlatformMessage => ({
  ...common,
  type: 'change',
  devices: list,
  removed: [],
  ...over,
})
const serials = () => devices.value.map(({ serial }) => serial)

describe('the stations of a platform', () => {
  beforeEach(() => {
    watchDevice(null)
    takeMessage(all(station('B', '10'), station('A', '9'), station('C', '')))
  })

  it('stand by name, numbers as numbers, and by serial number without a name', () => {
    expect(serials()).toEqual(['A', 'B', 'C'])
    expect([devicesKnown.value, waitingCount.value, recordsMade.value]).toEqual([true, 2, 7])
  })

  it('change in their place', () => {
    takeMessage(change([station('B', '10', false)]))
    expect(device('B')?.online).toBe(false)
    expect(serials()).toEqual(['A', 'B', 'C'])
  })

  it('move when a name is new, and go when they are removed', () => {
    takeMessage(change([station('B', '1')]))
    expect(serials()).toEqual(['B', 'A', 'C'])
    takeMessage(change([], { removed: ['A'] }))
    expect(serials()).toEqual(['B', 'C'])
    expect(device('A')).toBeUndefined()
  })

  it('follow what is done on a page at once', () => {
    takeDevice(station('D', '9.5'))
    expect(serials()).toEqual(['A', 'D', 'B', 'C'])
    forgetDevice('D')
    expect(serials()).toEqual(['A', 'B', 'C'])
  })

  it('have ports only while one is looked at, never those of another', () => {
    watchDevice('A')
    expect(watchedPorts.value).toBeNull()
    takeMessage(change([], { ports: [{ port: 1 } as DevicePort] }))
    expect(watchedPorts.value).toHaveLength(1)
    watchDevice('B')
    expect(watchedPorts.value).toBeNull()
  })
})
