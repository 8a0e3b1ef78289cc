// What the pages make of a station's facts: whether it is there, and how it stands in a list.
import type { Device } from './api'

export const DEVICE_STATES = ['online', 'offline', 'fetched', 'off'] as const
export type DeviceState = (typeof DEVICE_STATES)[number]

/** `off`: its switch is off, so that it cannot be there; `fetched`: it does not dial, and is away from visit to visit. */
export function stateOf(device: Pick<Device, 'online' | 'switched_on' | 'pull'>): DeviceState {
  if (!device.switched_on) return 'off'
  if (device.online) return 'online'
  return device.pull.settings && !device.pull.now?.dials ? 'fetched' : 'offline'
}

export const alarmTotal = ({ alarms }: Pick<Device, 'alarms'>): number =>
  alarms.critical + alarms.minor + alarms.notice

/** Share of the disk that is used, 0…1; 0 of a disk that is not known. */
export const diskUsed = (disk: Device['disk']): number =>
  disk === null || disk.total_bytes <= 0
    ? 0
    : Math.min(1, Math.max(0, 1 - disk.free_bytes / disk.total_bytes))

/** A clock that is further away than this is pointed out. */
export const CLOCK_WRONG_S = 5

export const clockIsWrong = ({ clock_offset_s }: Pick<Device, 'clock_offset_s'>): boolean =>
  clock_offset_s !== null && Math.abs(clock_offset_s) >= CLOCK_WRONG_S
