// Long work that this account began on the box: followed on every page until it has ended, also after a page was left.
import { computed, ref, shallowRef } from 'vue'
import { api, type Job } from '@/api'

const LOOK_MS = 1000

const known = shallowRef<readonly Job[]>([])
/** Jobs whose end was looked at. */
const seen = ref(new Set<string>())
let looking: ReturnType<typeof setTimeout> | undefined

/** Jobs that run, and those whose end nobody has looked at, newest first. */
export const jobs = computed(() =>
  known.value.filter(({ id, state }) => state === 'running' || !seen.value.has(id)),
)
export const job = (id: string): Job | undefined => known.value.find((one) => one.id === id)

export function takeJob(next: Job): void {
  known.value = [next, ...known.value.filter(({ id }) => id !== next.id)]
  if (next.state === 'running') look()
}

function look(): void {
  looking ??= setTimeout(() => {
    looking = undefined
    void askJobs()
  }, LOOK_MS)
}

async function askJobs(): Promise<void> {
  try {
    known.value = (await api.jobs()).items
  } catch {
    // The frame tells when the box is away; what runs is asked for again.
  }
  if (known.value.some(({ state }) => state === 'running')) look()
}

/** Finds work again that runs since before this page was opened; what had ended by then is old. */
export async function findJobs(): Promise<void> {
  try {
    const { items } = await api.jobs()
    known.value = items
    seen.value = new Set(items.filter(({ state }) => state !== 'running').map(({ id }) => id))
    if (items.some(({ state }) => state === 'running')) look()
  } catch {
    // Only a convenience: who begins work sees it anyhow.
  }
}

export async function cancelJob(id: string): Promise<void> {
  takeJob(await api.cancelJob(id))
}

export function forgetJob(id: string): void {
  seen.value = new Set([...seen.value, id])
}
