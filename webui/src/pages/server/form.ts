// Settings of the platform between the interface and the form: numbers are texts while they are typed.
import type { PlatformSettings, PlatformSettingsPatch } from '@/api'

const BYTES_PER_GB = 1e9

/** Settings that are one number: what the platform takes, in what the form shows, and its unit there. */
export const NUMBERS = [
  { name: 'station_offline_after_min', least: 1, most: 10_080, unit: 'min', whole: true },
  { name: 'nothing_received_after_min', least: 1, most: 10_080, unit: 'min', whole: true },
  { name: 'disk_nearly_full_percent', least: 0, most: 90, unit: '%', whole: false },
  { name: 'disk_reserve_bytes', least: 0, most: 1e6, unit: 'GB', whole: false },
  { name: 'cpu_high_percent', least: 10, most: 100, unit: '%', whole: false },
  { name: 'memory_high_percent', least: 10, most: 100, unit: '%', whole: false },
  { name: 'temperature_high_celsius', least: 30, most: 150, unit: '°C', whole: false },
  { name: 'high_for_s', least: 0, most: 86_400, unit: 's', whole: true },
] as const

/** Left empty, the platform reckons it by the size of its disk. */
const MAY_BE_EMPTY = 'disk_reserve_bytes'

export type NumberName = (typeof NUMBERS)[number]['name']

export interface ServerForm extends Record<NumberName, string> {
  name: string
  /** Empty: the system's. */
  time_zone: string
}

const scale = (name: NumberName) => (name === 'disk_reserve_bytes' ? BYTES_PER_GB : 1)

export function formOf(settings: PlatformSettings): ServerForm {
  const numbers = NUMBERS.map(({ name }) => {
    const value = settings[name]
    return [name, value === null ? '' : String(value / scale(name))]
  })
  return {
    name: settings.name,
    time_zone: settings.time_zone ?? '',
    ...(Object.fromEntries(numbers) as Record<NumberName, string>),
  }
}

const numberOf = (typed: string): number =>
  typed.trim() === '' ? NaN : Number(typed.trim().replace(',', '.'))

/** Fields that the platform would refuse. */
export function wrongFields(form: ServerForm): string[] {
  const length = [...form.name.trim()].length
  const wrong: string[] = length < 1 || length > 64 ? ['name'] : []
  for (const { name, least, most, whole } of NUMBERS) {
    const value = numberOf(form[name])
    if (name === MAY_BE_EMPTY && form[name].trim() === '') continue
    if (!(value >= least && value <= most) || (whole && !Number.isInteger(value))) wrong.push(name)
  }
  return wrong
}

/** What the form says differently from the platform; `null` when nothing. */
export function changes(form: ServerForm, settings: PlatformSettings): PlatformSettingsPatch | null {
  const out: PlatformSettingsPatch = {}
  if (form.name.trim() !== settings.name) out.name = form.name.trim()
  if ((form.time_zone || null) !== settings.time_zone) out.time_zone = form.time_zone || null
  for (const { name } of NUMBERS) {
    const value = numberOf(form[name])
    if (name === MAY_BE_EMPTY) {
      const reserve = Number.isNaN(value) ? null : Math.round(value * scale(name))
      if (reserve !== settings[name]) out[name] = reserve
    } else if (value !== settings[name]) out[name] = value
  }
  return Object.keys(out).length > 0 ? out : null
}
