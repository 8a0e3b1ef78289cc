// The columns of the recordings list, and which of them this browser shows.
import { ref, watch } from 'vue'
import type { Role } from '@/api'

const ALL = [
  { name: 'start', shown: true },
  { name: 'station', shown: true, role: 'platform' },
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
] as const satisfies readonly { name: string; shown: boolean; right?: boolean; role?: Role }[]

export type ColumnName = (typeof ALL)[number]['name']

/** The columns that this box has. */
export const columnsOf = (role: Role) => ALL.filter((column) => !('role' in column) || column.role === role)

const STORED = 'hookline.columns'

export function readChosen(stored: string | null): ColumnName[] {
  const byDefault = ALL.filter(({ shown }) => shown).map(({ name }) => name)
  if (stored === null) return byDefault
  const wanted = stored.split(',')
  const known = ALL.map(({ name }) => name).filter((name) => wanted.includes(name))
  return known.length > 0 ? known : byDefault
}

export const chosenColumns = ref<ColumnName[]>(readChosen(localStorage.getItem(STORED)))

watch(chosenColumns, (names) => {
  localStorage.setItem(STORED, names.join())
})
