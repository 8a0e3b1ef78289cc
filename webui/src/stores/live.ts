// The live push: state of every port (on a platform of every station), alarms now, how many records there are. One
// connection serves all pages.
// Levels come five times a second and go straight to canvases; what Vue draws changes with a state, or once a second.
import { computed, ref, shallowReactive, shallowRef, watch } from 'vue'
import {
  queryText,
  socketUrl,
  type AlarmCounts,
  type LiveMessage,
  type LivePlatformMessage,
  type Meter,
  type Port,
} from '@/api'
import { setBoxTime } from './box'
import { boxAnswers, boxIsSilent } from './connection'
import { takeDevices, watchedDevice } from './devices'
import { forgetSession } from './session'

const SESSION_ENDED = 4001
const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 15_000
const VOLTS_EVERY_MS = 1000
/** The box speaks often, though nothing changes: one that has said nothing for so long is away, though nobody closed the line. */
const SILENT_AFTER_MS = 5000

/** Level that stands for silence, dBm0. */
export const SILENCE_DBM0 = -90

/** A port with its voltages, which change on the page once a second. */
export interface PortLive extends Port {
  volts: number | null
  ring_volts: number | null
  min_volts: number | null
  max_volts: number | null
}

const order = shallowRef<PortLive[]>([])
const byNumber = new Map<number, PortLive>()
const counts = ref<AlarmCounts>({ critical: 0, minor: 0, notice: 0 })
const made = ref(0)
const state = ref<'connecting' | 'connected'>('connecting')
const meterListeners = new Set<() => void>()

let levels: Meter[] = []
let indexOf = new Map<number, number>()
let voltsAt = 0

/** All ports in the order of the box, which never changes while they are looked at. */
export const ports = computed(() => order.value)
export const alarmCounts = computed(() => counts.value)
/** Records the box has made; a list made before it grew is stale. */
export const recordsMade = computed(() => made.value)
export const liveState = computed(() => state.value)

/** One port by its number; follows when the list of ports comes. */
export const port = (number: number): PortLive | undefined =>
  order.value.length > 0 ? byNumber.get(number) : undefined

/** Newest levels of a port in dBm0: near side (or both on one track), far side. */
export function levelsOf(number: number): readonly [number, number | null] {
  const meter = levels[indexOf.get(number) ?? -1]
  return meter ? [meter[0], meter[1]] : [SILENCE_DBM0, null]
}

/** Calls `listener` whenever levels came; returns the way to stop. */
export function onLevels(listener: () => void): () => void {
  meterListeners.add(listener)
  return () => meterListeners.delete(listener)
}

function voltsOf([, , volts, ring_volts, min_volts, max_volts]: Meter) {
  return { volts, ring_volts, min_volts, max_volts }
}

const NO_VOLTS = { volts: null, ring_volts: null, min_volts: null, max_volts: null }

function takeAll(all: Port[], meters: Meter[]): void {
  byNumber.clear()
  indexOf = new Map()
  order.value = all.map((one, index) => {
    const meter = meters[index]
    const held = shallowReactive({ ...one, ...(meter ? voltsOf(meter) : NO_VOLTS) })
    byNumber.set(one.port, held)
    indexOf.set(one.port, index)
    return held
  })
}

/** A port as the push or an action told it. */
export function takePort(next: Port): void {
  const held = byNumber.get(next.port)
  if (held) Object.assign(held, next)
}

/** Exported for its tests; pages only listen. */
export function takeMessage(message: LiveMessage | LivePlatformMessage): void {
  setBoxTime(message.time)
  counts.value = message.alarms
  made.value = message.records
  if ('devices' in message) takeDevices(message)
  else takePorts(message)
}

function takePorts(message: LiveMessage): void {
  levels = message.meters
  if (message.type === 'all') takeAll(message.ports, message.meters)
  else for (const one of message.ports) takePort(one)
  if (Date.now() - voltsAt >= VOLTS_EVERY_MS) {
    voltsAt = Date.now()
    message.meters.forEach((meter, index) => Object.assign(order.value[index] ?? {}, voltsOf(meter)))
  }
  for (const listener of meterListeners) listener()
}

/** Opens the connection and keeps it open; returns the way to stop. */
export function followLive(): () => void {
  let socket: WebSocket | null = null
  let retryMs = FIRST_RETRY_MS
  let retry: ReturnType<typeof setTimeout> | undefined
  let stopped = false

  let silent: ReturnType<typeof setTimeout> | undefined

  const drop = () => {
    clearTimeout(silent)
    if (socket) socket.onmessage = socket.onclose = null
    socket?.close()
    socket = null
  }
  const again = () => {
    drop()
    if (stopped) return
    boxIsSilent()
    retry = setTimeout(open, retryMs)
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)
  }
  const expectMore = () => {
    clearTimeout(silent)
    silent = setTimeout(again, SILENT_AFTER_MS)
  }
  const open = () => {
    socket = new WebSocket(socketUrl(`/live${queryText({ device: watchedDevice.value })}`))
    expectMore()
    socket.onmessage = (event: MessageEvent<string>) => {
      state.value = 'connected'
      retryMs = FIRST_RETRY_MS
      boxAnswers()
      expectMore()
      takeMessage(JSON.parse(event.data) as LiveMessage | LivePlatformMessage)
    }
    socket.onclose = (event) => {
      if (event.code === SESSION_ENDED) forgetSession()
      else again()
    }
  }

  state.value = 'connecting'
  open()
  // Another station's ports are asked by another connection.
  const stopWatch = watch(watchedDevice, () => {
    clearTimeout(retry)
    drop()
    open()
  })
  return () => {
    stopped = true
    stopWatch()
    clearTimeout(retry)
    drop()
  }
}
