// The filters of the recordings list: what stands in the address bar, and what it asks of the box.
import type { LocationQuery, LocationQueryRaw } from 'vue-router'
import type { RecordingQuery } from '@/api'
import { CALL_TYPES, GRADES, START_MODES, STOP_MODES } from '@/enumerations'
import { isLocalTime, localDay, localToRfc3339 } from '@/zone'

export const PERIODS = ['all', 'today', 'before', 'yesterday', 'week', 'month', 'custom'] as const
export type Period = (typeof PERIODS)[number]

const TEXTS = [
  'number',
  'caller',
  'callee',
  'sn',
  'line_number',
  'peer_number',
  'tag',
  'text',
  'call_id',
] as const
const NUMBERS = ['min_duration_s', 'max_duration_s', 'min_score', 'max_score'] as const
/** Filters that are several of a list. */
export const CHOICES = {
  call_type: CALL_TYPES,
  start_mode: START_MODES,
  stop_mode: STOP_MODES,
  grade: GRADES,
} as const
/** Filters that are one of a list. */
export const SINGLES = { audio: ['with', 'without'], deleted: ['yes', 'all'] } as const

type TextName = (typeof TEXTS)[number]
type NumberName = (typeof NUMBERS)[number]
type ChoiceName = keyof typeof CHOICES
type SingleName = keyof typeof SINGLES

/** What is asked for; an empty value asks nothing. Times of a custom period are the box's local time. */
export type Filters = {
  period: Period
  /** `2026-03-01 08:00:00` */
  from: string
  to: string
  port: number[]
  /** Serial numbers; on a platform. */
  station: string[]
  /** It or one below it; on a platform. */
  department: string
} & Record<TextName, string> &
  Record<NumberName, number | null> &
  Record<ChoiceName, string[]> &
  Record<SingleName, string>

export function noFilters(): Filters {
  return {
    period: 'all',
    from: '',
    to: '',
    port: [],
    station: [],
    department: '',
    ...(Object.fromEntries(TEXTS.map((name) => [name, ''])) as Record<TextName, string>),
    ...(Object.fromEntries(NUMBERS.map((name) => [name, null])) as Record<NumberName, number | null>),
    call_type: [],
    start_mode: [],
    stop_mode: [],
    grade: [],
    audio: '',
    deleted: '',
  }
}

const listOf = (value: LocationQuery[string] | undefined): string[] =>
  (Array.isArray(value) ? value : [value]).filter(
    (one): one is string => typeof one === 'string' && one !== '',
  )

/** Filters as an address names them; what no filter can be is left out, so that an old link still opens. */
export function filtersFrom(query: LocationQuery): Filters {
  const out = noFilters()
  const first = (name: string) => listOf(query[name])[0] ?? ''
  for (const name of TEXTS) out[name] = first(name).slice(0, 100)
  for (const name of NUMBERS) {
    const value = Number(first(name) || 'none')
    out[name] = Number.isFinite(value) && value >= 0 ? value : null
  }
  for (const name of Object.keys(CHOICES) as ChoiceName[]) {
    const known: readonly string[] = CHOICES[name]
    out[name] = listOf(query[name]).filter((value) => known.includes(value))
  }
  for (const name of Object.keys(SINGLES) as SingleName[]) {
    const known: readonly string[] = SINGLES[name]
    out[name] = known.includes(first(name)) ? first(name) : ''
  }
  out.port = listOf(query['port'])
    .map(Number)
    .filter((port) => Number.isInteger(port) && port > 0)
  out.station = listOf(query['station']).map((serial) => serial.slice(0, 64))
  out.department = first('department').slice(0, 64)
  const period = PERIODS.find((one) => one === first('period'))
  if (isLocalTime(first('from'))) out.from = first('from')
  if (isLocalTime(first('to'))) out.to = first('to')
  out.period = out.from || out.to ? 'custom' : period && period !== 'custom' ? period : 'all'
  return out
}

/** The same filters as an address. */
export function addressOf(filters: Filters): LocationQueryRaw {
  const out: LocationQueryRaw = {}
  for (const [name, value] of Object.entries(filters)) {
    if (name === 'period' ? value === 'all' || value === 'custom' : value === '' || value === null) continue
    if (Array.isArray(value) && value.length === 0) continue
    out[name] = Array.isArray(value) ? value.map(String) : String(value)
  }
  if (filters.period !== 'custom') {
    delete out['from']
    delete out['to']
  }
  return out
}

/** The span of a period at the box, by its clock and zone. */
export function spanOf(
  asked: Pick<Filters, 'period' | 'from' | 'to'>,
  zone: string,
  nowMs: number,
): { from?: string; to?: string } {
  const day = (days: number) => localToRfc3339(zone, `${localDay(zone, nowMs, days)} 00:00:00`)
  switch (asked.period) {
    case 'today':
      return { from: day(0) }
    case 'before':
      return { to: day(0) }
    case 'yesterday':
      return { from: day(-1), to: day(0) }
    case 'week':
      return { from: day(-6) }
    case 'month':
      return { from: day(-29) }
    case 'custom':
      return {
        from: asked.from ? localToRfc3339(zone, asked.from) : undefined,
        to: asked.to ? localToRfc3339(zone, asked.to) : undefined,
      }
    case 'all':
      return {}
  }
}

/** What the box is asked. */
export function apiQuery(filters: Filters, zone: string, nowMs: number): RecordingQuery {
  const asked: Record<string, unknown> = { ...filters, ...spanOf(filters, zone, nowMs) }
  delete asked['period']
  if (filters.period === 'all') {
    delete asked['from']
    delete asked['to']
  }
  for (const [name, value] of Object.entries(asked)) {
    const empty = value === '' || value === null || value === undefined
    if (empty || (Array.isArray(value) && value.length === 0)) Reflect.deleteProperty(asked, name)
  }
  return asked as RecordingQuery
}

/** Filters that stand as chips: what each holds, and how it is edited. */
export const CHIPS = [
  { name: 'call_type', members: ['call_type'], kind: 'choice' },
  { name: 'duration', members: ['min_duration_s', 'max_duration_s'], kind: 'range' },
  { name: 'score', members: ['min_score', 'max_score'], kind: 'range' },
  { name: 'tag', members: ['tag'], kind: 'text' },
  { name: 'text', members: ['text'], kind: 'text' },
  { name: 'grade', members: ['grade'], kind: 'choice' },
  { name: 'line_number', members: ['line_number'], kind: 'text' },
  { name: 'peer_number', members: ['peer_number'], kind: 'text' },
  { name: 'start_mode', members: ['start_mode'], kind: 'choice' },
  { name: 'stop_mode', members: ['stop_mode'], kind: 'choice' },
  { name: 'audio', members: ['audio'], kind: 'single' },
  { name: 'deleted', members: ['deleted'], kind: 'single' },
  { name: 'call_id', members: ['call_id'], kind: 'text' },
] as const satisfies readonly {
  name: string
  members: readonly (keyof Filters)[]
  kind: 'choice' | 'range' | 'text' | 'single'
}[]

export type Chip = (typeof CHIPS)[number]

export function chipIsSet(chip: Chip, filters: Filters): boolean {
  return chip.members.some((member) => {
    const value = filters[member]
    return Array.isArray(value) ? value.length > 0 : value !== '' && value !== null
  })
}

/** The same filters with this chip taken off. */
export function withoutChip(chip: Chip, filters: Filters): Filters {
  const empty = noFilters()
  const out = { ...filters }
  for (const member of chip.members) Object.assign(out, { [member]: empty[member] })
  return out
}

export function anyFilter(filters: Filters): boolean {
  return Object.keys(addressOf(filters)).length > 0
}
