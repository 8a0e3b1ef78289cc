// The recordings list behind its page: filters, page and open row in the address; selection and the current row here.
import { computed, ref, shallowReactive, watch } from 'vue'
import { useRoute, useRouter, type LocationQueryRaw } from 'vue-router'
import { api, type Recording } from '@/api'
import { usePaged } from '@/paged'
import { boxNow, zone } from '@/stores/box'
import { recordsMade } from '@/stores/live'
import { annotated } from '@/stores/player'
import { addressOf, apiQuery, filtersFrom, type Filters } from './query'

export const PAGE_SIZES = [25, 50, 100, 200] as const
const DEFAULT_SIZE = 50

export function useRecordingList() {
  const route = useRoute()
  const router = useRouter()

  const current = ref(0)
  const selected = shallowReactive(new Map<string, Recording>())
  const madeWhenLoaded = ref(0)

  const text = (name: string) => {
    const value = route.query[name]
    return typeof value === 'string' ? value : ''
  }
  const filters = computed(() => filtersFrom(route.query))
  const opened = computed(() => text('open') || null)
  const size = computed(() => PAGE_SIZES.find((one) => String(one) === text('limit')) ?? DEFAULT_SIZE)

  /** What the box is asked now, without the page. */
  const query = () => apiQuery(filters.value, zone(), boxNow.value || Date.now())

  const paged = usePaged<Recording>({
    // Opening a row changes the address too, but does not ask again.
    key: () => JSON.stringify([addressOf(filters.value), size.value]),
    ask: async (after, signal) => {
      const made = recordsMade.value
      const found = await api.recordings({ ...query(), limit: size.value, after }, signal)
      madeWhenLoaded.value = made
      return found
    },
  })
  const { rows, after } = paged

  /** Records made since this first page was loaded. */
  const fresh = computed(() =>
    after.value === '' && madeWhenLoaded.value > 0
      ? Math.max(0, recordsMade.value - madeWhenLoaded.value)
      : 0,
  )

  function setFilters(to: Filters): void {
    selected.clear()
    const next: LocationQueryRaw = { ...addressOf(to) }
    if (size.value !== DEFAULT_SIZE) next['limit'] = String(size.value)
    void router.push({ query: next })
  }

  function setSize(to: number): void {
    void router.push({
      query: {
        ...route.query,
        limit: to === DEFAULT_SIZE ? undefined : String(to),
        after: undefined,
        open: undefined,
      },
    })
  }

  function open(id: string | null): void {
    void router.replace({ query: { ...route.query, open: id ?? undefined } })
  }

  function select(which: readonly Recording[], on: boolean): void {
    for (const one of which) {
      if (on) selected.set(one.id, one)
      else selected.delete(one.id)
    }
  }

  // The current row stays the same recording when the list is loaded again.
  watch(rows, (now, before) => {
    const id = before?.[current.value]?.id
    current.value = Math.max(0, now?.findIndex((one) => one.id === id) ?? 0)
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
    ...paged,
    current,
    selected,
    filters,
    opened,
    size,
    fresh,
    query,
    setFilters,
    setSize,
    open,
    select,
  }
}
