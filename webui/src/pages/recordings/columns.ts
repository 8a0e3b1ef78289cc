// The columns of the recordings list, and which of them this browser shows.
import { ref, watch } from 'vue'

export const COLUMNS = [
  { name: 'start', shown: true },
  { name: 'port', shown: true },
  { name: 'call_type', shown: true },
  { name: 'caller', shown: true },
  { name: 'callee', shown: true },
  { name: 'duration', shown: true, right: true },
  { name: 'grade', shown: true },
  { name: 'score', shown: true, right: true },
  { name: 'tags', shown: true },
  { name: 'start_mode', shown: true },
  { name: 'stop_mode', shown: true },
  { name: 'play_count', shown: false, right: true },
  { name: 'note', shown: false },
  { name: 'line_number', shown: false },
  { name: 'peer_number', shown: false },
  { name: 'sn', shown: false },
] as const satisfies readonly { name: string; shown: boolean; right?: boolean }[]

export type ColumnName = (typeof COLUMNS)[number]['name']

const STORED = 'hookline.columns'

export function readChosen(stored: string | null): ColumnName[] {
  const byDefault = COLUMNS.filter(({ shown }) => shown).map(({ name }) => name)
  if (stored === null) return byDefault
  const wanted = stored.split(',')
  const known = COLUMNS.map(({ name }) => name).filter((name) => wanted.includes(name))
  return known.length > 0 ? known : byDefault
}

export const chosenColumns = ref<ColumnName[]>(readChosen(localStorage.getItem(STORED)))

watch(chosenColumns, (names) => {
  localStorage.setItem(STORED, names.join())
})
