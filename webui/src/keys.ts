// What keys do outside fields: those of the list belong to the recordings page, those of the player to the player, which
// is on every page. A key typed into a field or a dialog belongs to that.
import { onBeforeUnmount, onMounted } from 'vue'

export type KeyAction =
  | 'down'
  | 'up'
  | 'first'
  | 'last'
  | 'next_page'
  | 'previous_page'
  | 'play'
  | 'pause'
  | 'rewind'
  | 'stop'
  | 'faster'
  | 'back'
  | 'forward'
  | 'zoom_in'
  | 'zoom_out'
  | 'tag'
  | 'download'
  | 'filter'
  | 'select'
  | 'facts'
  | 'help'
  | { score: number }

const ACTIONS: Record<string, KeyAction> = {
  ArrowDown: 'down',
  ArrowUp: 'up',
  Home: 'first',
  End: 'last',
  PageDown: 'next_page',
  PageUp: 'previous_page',
  Enter: 'play',
  ' ': 'pause',
  j: 'rewind',
  k: 'stop',
  l: 'faster',
  ArrowLeft: 'back',
  ArrowRight: 'forward',
  '+': 'zoom_in',
  '=': 'zoom_in',
  '-': 'zoom_out',
  t: 'tag',
  d: 'download',
  '/': 'filter',
  x: 'select',
  i: 'facts',
  '?': 'help',
}

const FIELDS =
  'input, textarea, select, [contenteditable], [role="dialog"], [role="listbox"], [role="menu"], .el-slider'
/** On these Enter and Space press the control itself. */
const PRESSABLE = 'button, a, [role="radio"], [role="button"]'

/** The action of a key, or `null` when the key is not for the list. */
export function actionOf(event: KeyboardEvent): KeyAction | null {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null
  const target = event.target instanceof Element ? event.target : null
  if (target?.closest(FIELDS)) return null
  if (target?.closest(PRESSABLE) && (event.key === 'Enter' || event.key === ' ')) return null
  // Ten is typed as 0.
  if (/^\d$/.test(event.key)) return { score: Number(event.key) || 10 }
  return ACTIONS[event.key.length === 1 ? event.key.toLowerCase() : event.key] ?? null
}

/** Gives keys to this component while it is on the page; `take` says whether it did something with one. */
export function useKeys(take: (action: KeyAction) => boolean): void {
  const listen = (event: KeyboardEvent) => {
    const action = actionOf(event)
    if (action !== null && take(action)) event.preventDefault()
  }
  onMounted(() => {
    addEventListener('keydown', listen)
  })
  onBeforeUnmount(() => {
    removeEventListener('keydown', listen)
  })
}
