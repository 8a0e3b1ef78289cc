// Rows of one height in a scroller, of which only those in view exist: a long table costs what a short one does.
import { computed, onBeforeUnmount, onMounted, ref, type Ref } from 'vue'

const MARGIN_ROWS = 6

export function useWindow<T>(scroller: Ref<HTMLElement | null>, rows: () => readonly T[], row_px: number) {
  const top = ref(0)
  const height = ref(600)
  let sized: ResizeObserver | undefined

  const first = computed(() =>
    Math.max(0, Math.min(Math.floor(top.value / row_px), rows().length) - MARGIN_ROWS),
  )
  const last = computed(() =>
    Math.min(rows().length, Math.ceil((top.value + height.value) / row_px) + MARGIN_ROWS),
  )
  const shown = computed(() => rows().slice(first.value, last.value))
  /** Height of what is left out above and below. */
  const above_px = computed(() => first.value * row_px)
  const below_px = computed(() => (rows().length - last.value) * row_px)

  const scrolled = () => (top.value = scroller.value?.scrollTop ?? 0)
  onMounted(() => {
    const box = scroller.value
    if (!box) return
    box.addEventListener('scroll', scrolled, { passive: true })
    sized = new ResizeObserver(([entry]) => (height.value = entry?.contentRect.height ?? 600))
    sized.observe(box)
  })
  onBeforeUnmount(() => sized?.disconnect())

  return { first, shown, above_px, below_px }
}
