// A list that the box gives page by page: the cursor stands in the address, rows and what went wrong here.
import { computed, ref, shallowRef, watch } from 'vue'
import { useRoute, useRouter } from 'vue-router'

interface Page<T> {
  items: T[]
  next: string | null
  total: number | null
  total_is_least: boolean
}

interface Asked<T> {
  /** What is asked beside the cursor, as a text: another text is another list. */
  key: () => string
  /** Asks the box for the page after `cursor`. */
  ask: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>
}

export function usePaged<T>({ key, ask }: Asked<T>) {
  const route = useRoute()
  const router = useRouter()

  const rows = shallowRef<T[] | null>(null)
  const total = shallowRef<{ count: number; least: boolean } | null>(null)
  const next = ref<string | null>(null)
  const loading = ref(false)
  const problem = shallowRef<unknown>(null)
  /** Cursors of the pages before this one; empty on a page opened by a link. */
  const trail = ref<string[]>([])
  let asking: AbortController | undefined

  const after = computed(() => {
    const value = route.query['after']
    return typeof value === 'string' ? value : ''
  })

  async function load(): Promise<void> {
    asking?.abort()
    const mine = new AbortController()
    asking = mine
    loading.value = true
    problem.value = null
    try {
      const found = await ask(after.value || undefined, mine.signal)
      if (mine.signal.aborted) return
      rows.value = found.items
      next.value = found.next
      // Only the first page is counted; the count goes on to hold while paging.
      if (found.total !== null) total.value = { count: found.total, least: found.total_is_least }
      else if (!after.value) total.value = null
    } catch (error) {
      if (!mine.signal.aborted) problem.value = error
    } finally {
      if (asking === mine) loading.value = false
    }
  }

  function turnTo(cursor: string | undefined): void {
    void router.push({ query: { ...route.query, after: cursor, open: undefined } })
  }

  function nextPage(): void {
    if (!next.value) return
    trail.value.push(after.value)
    turnTo(next.value)
  }

  function previousPage(): void {
    if (after.value) turnTo(trail.value.pop() || undefined)
  }

  const name = route.name
  watch(
    [key, after],
    () => {
      // On the way to another page the address is already that page's.
      if (route.name === name) void load()
    },
    { immediate: true },
  )
  watch(key, () => (trail.value = []))

  return { rows, total, next, loading, problem, after, load, nextPage, previousPage }
}

export type Paged<T> = ReturnType<typeof usePaged<T>>
