// Whether the box answers: told by every request and by the live push, shown by the frame. What stands on the pages
// while it does not is old.
import { computed, ref } from 'vue'

const since = ref<number | null>(null)

/** When the box was heard last before it stopped answering, in ms of the browser's clock; `null` while it answers. */
export const lostSince = computed(() => since.value)
export const isLost = computed(() => since.value !== null)

let heard = Date.now()

export function boxAnswers(): void {
  heard = Date.now()
  since.value = null
}

export function boxIsSilent(): void {
  since.value ??= heard
}
