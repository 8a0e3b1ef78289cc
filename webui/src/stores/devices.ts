// The stations of a platform, as the live push tells them; and the ports of the one that is looked at.
import { computed, ref, shallowRef } from 'vue'
import type { Device, DevicePort, DevicePull, LivePlatformMessage } from '@/api'

const byName = new Intl.Collator(undefined, { numeric: true })

const bySerial = new Map<string, Device>()
const order = shallowRef<readonly Device[]>([])
const known = ref(false)
const waitingNow = ref(0)
const portsNow = shallowRef<readonly DevicePort[] | null>(null)

/** All stations that the account may see, by name. */
export const devices = computed(() => order.value)
/** Whether the box has told its stations yet. */
export const devicesKnown = computed(() => known.value)
/** Boxes that knocked and are not registered. */
export const waitingCount = computed(() => waitingNow.value)
/** Serial number of the station whose ports are pushed too. */
export const watchedDevice = ref<string | null>(null)
/** Ports of that station; `null` until they are told. */
export const watchedPorts = computed(() => portsNow.value)

/** One station; follows when its state changes. */
export const device = (serial: string): Device | undefined =>
  order.value.length > 0 ? bySerial.get(serial) : undefined

/** What a station is called: its name, or its serial number when it has none. */
export const deviceName = (one: Pick<Device, 'name' | 'serial'>): string => one.name || one.serial

export function watchDevice(serial: string | null): void {
  if (watchedDevice.value === serial) return
  watchedDevice.value = serial
  portsNow.value = null
}

/** A station as the push or an action told it. */
export function takeDevice(next: Device): void {
  const before = bySerial.get(next.serial)
  bySerial.set(next.serial, next)
  if (before?.name === next.name) order.value = order.value.map((one) => bySerial.get(one.serial) ?? one)
  else putInOrder()
}

/** How fetching from a station goes, as an action told it. */
export function takePull(serial: string, pull: DevicePull): void {
  const one = bySerial.get(serial)
  if (one) takeDevice({ ...one, pull })
}

export function forgetDevice(serial: string): void {
  bySerial.delete(serial)
  order.value = order.value.filter((one) => one.serial !== serial)
}

function putInOrder(): void {
  order.value = [...bySerial.values()].sort(
    (a, b) => byName.compare(deviceName(a), deviceName(b)) || byName.compare(a.serial, b.serial),
  )
}

export function takeDevices(message: LivePlatformMessage): void {
  waitingNow.value = message.waiting ?? 0
  if (message.ports !== null) portsNow.value = message.ports
  if (message.type === 'all') {
    bySerial.clear()
    for (const one of message.devices) bySerial.set(one.serial, one)
    known.value = true
    putInOrder()
    return
  }
  if (message.devices.length === 0 && message.removed.length === 0) return
  const moved = message.devices.some(({ serial, name }) => bySerial.get(serial)?.name !== name)
  for (const one of message.devices) bySerial.set(one.serial, one)
  for (const serial of message.removed) bySerial.delete(serial)
  // Thousands of names are sorted only when one of them is new.
  if (moved || message.removed.length > 0) putInOrder()
  else order.value = order.value.map((one) => bySerial.get(one.serial) ?? one)
}
