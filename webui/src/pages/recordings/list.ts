// The recordings list behind its page: filters, page and open row in the address; rows, selection and the current row here.
import { computed, ref, shallowReactive, shallowRef, watch } from 'vue'
import { useRoute, useRouter, type LocationQueryRaw } from 'vue-router'
import { api, type Recording } from '@/api'
import { boxNow, zone } from '@/stores/box'
import { recordsMade } from '@/stores/live'
import { annotated } from '@/stores/player'
import { addressOf, apiQuery, filtersFrom, type Filters } from './query'

export const PAGE_SIZES = [25, 50, 100, 200] as const
const DEFAULT_SIZE = 50

export function useRecordingList() {
  const route = useRoute()
  const router = useRouter()

  const rows = shallowRef<Recording[] | null>(null)
  const total = shallowRef<{ count: number; least: boolean } | null>(null)
  const next = ref<string | null>(null)
  const loading = ref(false)
  const problem = shallowRef<unknown>(null)
  const current = ref(0)
  const selected = shallowReactive(new Map<string, Recording>())
  const madeWhenLoaded = ref(0)
  /** Cursors of the pages before this one. */
  const trail = ref<string[]>([])
  let asking: AbortController | undefined

  const text = (name: string) => {
    const value = route.query[name]
    return typeof value === 'string' ? value : ''
  }
  const filters = computed(() => filtersFrom(route.query))
  const after = computed(() => text('after'))
  const opened = computed(() => text('open') || null)
  const size = computed(() => PAGE_SIZES.find((one) => String(one) === text('limit')) ?? DEFAULT_SIZE)
  /** Only what makes other rows; opening a row does not ask again. */
  const asked = computed(() => JSON.stringify([addressOf(filters.value), after.value, size.value]))
  const fresh = computed(() =>
    after.value === '' && madeWhenLoaded.value > 0
      ? Math.max(0, recordsMade.value - madeWhenLoaded.value)
      : 0,
  )

  function go(change: LocationQueryRaw, replace = false): void {
    const base: LocationQueryRaw = { ...addressOf(filters.value) }
    if (after.value) base['after'] = after.value
    if (size.value !== DEFAULT_SIZE) base['limit'] = String(size.value)
    if (opened.value) base['open'] = opened.value
    const query = { ...base, ...change }
    void (replace ? router.replace({ query }) : router.push({ query }))
  }

  function setFilters(to: Filters): void {
    trail.value = []
    selected.clear()
    const query: LocationQueryRaw = { ...addressOf(to) }
    if (size.value !== DEFAULT_SIZE) query['limit'] = String(size.value)
    if (to.period === 'custom' && !to.from && !to.to) query['period'] = 'custom'
    void router.push({ query })
  }

  function nextPage(): void {
    if (!next.value) return
    trail.value.push(after.value)
    go({ after: next.value, open: undefined })
  }

  function previousPage(): void {
    if (!after.value) return
    go({ after: trail.value.pop() || undefined, open: undefined })
  }

  async function load(keepCurrent = false): Promise<void> {
    asking?.abort()
    const mine = new AbortController()
    asking = mine
    loading.value = true
    problem.value = null
    const made = recordsMade.value
    try {
      const query = apiQuery(filters.value, zone(), boxNow.value || Date.now())
      const found = await api.recordings(
        { ...query, limit: size.value, ...(after.value ? { after: after.value } : {}) },
        mine.signal,
      )
      rows.value = found.items
      next.value = found.next
      if (found.total !== null) total.value = { count: found.total, least: found.total_is_least }
      else if (!after.value) total.value = null
      madeWhenLoaded.value = made
      current.value = keepCurrent ? Math.min(current.value, Math.max(0, found.items.length - 1)) : 0
    } catch (error) {
      if (!mine.signal.aborted) problem.value = error
    } finally {
      if (asking === mine) loading.value = false
    }
  }

  function select(which: readonly Recording[], on: boolean): void {
    for (const one of which) {
      if (on) selected.set(one.id, one)
      else selected.delete(one.id)
    }
  }

  watch(asked, () => void load(), { immediate: true })
  watch(after, (cursor) => {
    if (!cursor) trail.value = []
  })
  // What was counted before the live push told its first number is not stale.
  watch(recordsMade, (made) => {
    if (madeWhenLoaded.value === 0) madeWhenLoaded.value = made
  })
  watch(annotated, (changed) => {
    if (!changed || !rows.value) return
    rows.value = rows.value.map((one) => (one.id === changed.id ? { ...one, ...changed } : one))
    if (selected.has(changed.id)) selected.set(changed.id, changed)
  })

  return {
    rows,
    total,
    next,
    loading,
    problem,
    current,
    selected,
    filters,
    after,
    opened,
    size,
    fresh,
    go,
    setFilters,
    nextPage,
    previousPage,
    load,
    select,
  }
}
