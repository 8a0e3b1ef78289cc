// Before what was typed is thrown away, the person is asked.
import { ElMessageBox } from 'element-plus'
import { onBeforeUnmount, onMounted } from 'vue'
import { onBeforeRouteLeave } from 'vue-router'
import { i18n } from './i18n'
import { session } from './stores/session'

export async function mayDiscard(): Promise<boolean> {
  const { t } = i18n.global
  // Enter, Escape and the cross keep what was typed: only the one button throws it away.
  return ElMessageBox.confirm(t('discard.sure'), {
    confirmButtonText: t('discard.stay'),
    cancelButtonText: t('discard.discard'),
    distinguishCancelAndClose: true,
    type: 'warning',
  }).then(
    () => false,
    (how) => how === 'cancel',
  )
}

/**
 * Keeps a page from being left, or closed with its window, while `dirty` says that something is not saved; `may` asks the
 * person.
 */
export function guardUnsaved(dirty: () => boolean, may = mayDiscard): void {
  // Whose session has ended cannot save any more.
  onBeforeRouteLeave(async () => !dirty() || session.value === null || (await may()))
  const leave = (event: BeforeUnloadEvent) => {
    if (dirty()) event.preventDefault()
  }
  onMounted(() => {
    addEventListener('beforeunload', leave)
  })
  onBeforeUnmount(() => {
    removeEventListener('beforeunload', leave)
  })
}
