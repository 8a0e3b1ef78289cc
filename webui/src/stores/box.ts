// The box itself: name, serial, disk, and its clock, which ticks here between the box's messages.
import { computed, ref, watch } from 'vue'
import { api, type Box } from '@/api'
import { toRfc3339 } from '@/zone'
import { isLost } from './connection'

const REFRESH_MS = 60_000
/** While the box is silent it is asked more often, so that its return is seen at once, and that a session is over. */
const REFRESH_LOST_MS = 5000

const current = ref<Box | null>(null)
/** The box's clock less the browser's, in ms. */
const aheadMs = ref(0)
const second = ref(0)

export const box = computed(() => current.value)
/** Whether this is a platform; the pages differ by what a box has, not by how they look. */
export const isPlatform = computed(() => current.value?.role === 'platform')

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
  let asking: ReturnType<typeof setTimeout> | undefined
  let stopped = false
  const again = () => {
    clearTimeout(asking)
    if (!stopped) asking = setTimeout(refresh, isLost.value ? REFRESH_LOST_MS : REFRESH_MS)
  }
  // What failed is told by the frame, which knows that the box is silent; the last known box stays on the page.
  const refresh = () =>
    void loadBox()
      .catch(() => undefined)
      .finally(again)
  refresh()
  const clock = setInterval(tick, 250)
  const stopWatch = watch(isLost, again)
  return () => {
    stopped = true
    stopWatch()
    clearInterval(clock)
    clearTimeout(asking)
  }
}
