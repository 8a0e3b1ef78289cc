// Whether the window has at most a width that itself may change, which a style sheet's own widths cannot.
import { onBeforeUnmount, ref, watch, type Ref } from 'vue'

/** Follows the window, and `most_px` when what it reads changes. */
export function useWindowAtMost(most_px: () => number): Readonly<Ref<boolean>> {
  const fits = ref(false)
  const measure = () => (fits.value = innerWidth <= most_px())
  watch(most_px, measure, { immediate: true })
  addEventListener('resize', measure)
  onBeforeUnmount(() => {
    removeEventListener('resize', measure)
  })
  return fits
}
