// Which stations a filter leaves, and in which order: the live push has them all, so that no question is asked.
import type { Department, Device } from '@/api'
import { alarmTotal, diskUsed, stateOf } from '@/station-state'
import { withBelow } from '@/stores/departments'

/** As the address names them; `alarm`: with a current alarm. */
export const STATES = ['', 'online', 'offline', 'fetched', 'off', 'alarm'] as const
export type StateFilter = (typeof STATES)[number]

/** Orders other than that of the names; largest, worst or latest first. */
export const ORDERS = ['name', 'state', 'disk', 'recording', 'alarms', 'sync', 'connected'] as const
export type Order = (typeof ORDERS)[number]

export interface Asked {
  text: string
  state: StateFilter
  /** It or one below it. */
  department: string
  order: Order
  /** The other way round. */
  back: boolean
}

function inState(device: Device, state: StateFilter): boolean {
  if (state === '') return true
  return state === 'alarm' ? alarmTotal(device) > 0 : stateOf(device) === state
}

const RANK = { offline: 0, fetched: 1, online: 2, off: 3 } as const

/** What an order compares, least first. */
function measure(device: Device, order: Order): number {
  const since = (time: string | null) => (time === null ? Infinity : -Date.parse(time))
  switch (order) {
    case 'name':
      return 0
    case 'state':
      return RANK[stateOf(device)]
    case 'disk':
      return -diskUsed(device.disk)
    case 'recording':
      return -device.ports.recording
    case 'alarms':
      return -(device.alarms.critical * 1e6 + alarmTotal(device))
    case 'sync':
      return since(device.last_synchronised)
    case 'connected':
      return since(device.connected_since)
  }
}

/** `devices` come by name, and stay so where an order says nothing. */
export function found(
  devices: readonly Device[],
  asked: Asked,
  departments: readonly Department[],
): readonly Device[] {
  const text = asked.text.trim().toLowerCase()
  const below = asked.department ? withBelow(departments, asked.department) : null
  const left = devices.filter(
    (one) =>
      inState(one, asked.state) &&
      (below === null || (one.department !== null && below.has(one.department))) &&
      (text === '' ||
        [one.name, one.serial, one.address, one.pull.settings?.address, one.note, one.department].some(
          (part) => part?.toLowerCase().includes(text),
        )),
  )
  if (asked.order !== 'name') {
    const keyed = left.map((one) => ({ one, key: measure(one, asked.order) }))
    // Infinity less Infinity is no number.
    keyed.sort((a, b) => (a.key === b.key ? 0 : a.key < b.key ? -1 : 1))
    left.splice(0, left.length, ...keyed.map(({ one }) => one))
  }
  return asked.back ? left.reverse() : left
}

/** How many stations are in each state. */
export function stateCounts(devices: readonly Device[]): Record<Exclude<StateFilter, ''>, number> {
  const counts = { online: 0, offline: 0, fetched: 0, off: 0, alarm: 0 }
  for (const one of devices) {
    counts[stateOf(one)] += 1
    if (alarmTotal(one) > 0) counts.alarm += 1
  }
  return counts
}
