// The box itself: name, serial, disk, and its clock, which ticks here between the box's messages.
import { computed, ref } from 'vue'
import { api, type Box } from '@/api'
import { toRfc3339 } from '@/zone'

const REFRESH_MS = 60_000

const current = ref<Box | null>(null)
/** The box's clock less the browser's, in ms. */
const aheadMs = ref(0)
const second = ref(0)

export const box = computed(() => current.value)

/** Moments by the box's clock, in UTC ms; changes once a second. */
export const boxNow = computed(() => second.value)

/** RFC 3339 time of the box now. */
export const boxTime = computed(() => toRfc3339(zone(), second.value))

/** IANA name of the box's zone; the browser's until it is known. */
export function zone(): string {
  return current.value?.time_zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** Takes a time the box just sent as its now. */
export function setBoxTime(time: string): void {
  const ahead = Date.parse(time) - Date.now()
  // Jitter of the network must not make the clock stutter.
  if (Math.abs(ahead - aheadMs.value) > 500) aheadMs.value = ahead
  tick()
}

function tick(): void {
  const now = Math.floor((Date.now() + aheadMs.value) / 1000) * 1000
  if (now !== second.value) second.value = now
}

export async function loadBox(): Promise<Box> {
  const next = await api.box()
  current.value = next
  setBoxTime(next.time)
  return next
}

/** Keeps box and clock fresh; returns the way to stop. */
export function followBox(): () => void {
  // A failed refresh is shown by the live connection's mark; the last known box stays on the page.
  const refresh = () => void loadBox().catch(() => undefined)
  refresh()
  const clock = setInterval(tick, 250)
  const asking = setInterval(refresh, REFRESH_MS)
  return () => {
    clearInterval(clock)
    clearInterval(asking)
  }
}
