// The settings of the clock between the interface and the form, and times as short as a person reads them.
import type { ClockSettings, ClockSettingsPatch } from '@/api'
import { duration } from '@/format'

/** As in the interface. */
export const MOST_SERVERS = 8

export interface ClockForm {
  on: boolean
  /** As typed, in the order of the list; empty ones are nothing. */
  servers: string[]
}

/** A new line waits below the last server. */
export const formOf = ({ on, servers }: ClockSettings): ClockForm => ({
  on,
  servers: servers.length < MOST_SERVERS ? [...servers, ''] : [...servers],
})

const named = (form: ClockForm): string[] => form.servers.map((one) => one.trim()).filter((one) => one !== '')

/** What the form says differently from the box; `null` when nothing. */
export function change(form: ClockForm, now: ClockSettings): ClockSettingsPatch | null {
  const out: ClockSettingsPatch = {}
  const servers = named(form)
  if (form.on !== now.on) out.on = form.on
  if (servers.join('\n') !== now.servers.join('\n')) out.servers = servers
  return Object.keys(out).length > 0 ? out : null
}

/** Where in the form it stands what the box refused: the box knows no empty lines. */
export function fieldInForm(field: string, form: ClockForm): string {
  const place = /^servers\[(\d+)\]$/.exec(field)
  if (!place) return field
  const lines = form.servers.flatMap((one, line) => (one.trim() === '' ? [] : [line]))
  return `servers[${lines[Number(place[1])] ?? 0}]`
}

/** The list with what was typed in a line, and an empty one below while there may be more. */
export function typedInto(servers: readonly string[], line: number, typed: string): string[] {
  const next = servers.map((one, at) => (at === line ? typed : one))
  return next.at(-1)?.trim() !== '' && next.length < MOST_SERVERS ? [...next, ''] : next
}

/** `0.42 ms`, `38 ms`, `12.5 s`, `1:02:03`, `365 d`. */
export function span(seconds: number): string {
  const most = Math.abs(seconds)
  if (most < 0.01) return `${(most * 1000).toFixed(2)} ms`
  if (most < 1) return `${(most * 1000).toFixed(0)} ms`
  if (most < 100) return `${most.toFixed(1)} s`
  return most < 2 * 86_400 ? duration(most) : `${Math.round(most / 86_400)} d`
}

/** The same with its sign; a dash for what is not known. */
export function offset(seconds: number | null): string {
  if (seconds === null) return '–'
  return `${seconds < 0 ? '−' : '+'}${span(seconds)}`
}

/** The last eight questions, oldest first: whether each was answered. */
export const answers = (reach: number): boolean[] =>
  Array.from({ length: 8 }, (_, place) => ((reach >> (7 - place)) & 1) === 1)
