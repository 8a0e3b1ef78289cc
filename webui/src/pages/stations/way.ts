// How a station's recordings come to the platform: it dials, or the platform fetches. Between the interface and the form.
import type { Device, DevicePullPatch, PullSettings, Schemas } from '@/api'
import { i18n } from '@/i18n'

export const WAYS = ['dials', 'fetched'] as const
export type Way = (typeof WAYS)[number]
export const UNITS = ['hours', 'days'] as const
type Unit = (typeof UNITS)[number]

const DAY_HOURS = 24
/** The longest interval in each unit. */
export const MOST: Record<Unit, number> = { hours: 10, days: 30 }
const MOST_ADDRESS = 255
/** As the platform takes it: printable, without blanks. */
const TOKEN = /^[!-~]{16,256}$/
/** A name or an IP address, IPv6 in brackets; and a port. */
const ADDRESS = /^(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/
/** An IPv6 address alone needs no brackets. */
const BARE_IPV6 = /^[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*$/
const MOST_PORT = 65_535

export interface WayForm {
  way: Way
  address: string
  /** As typed; empty: the one that is set stays. */
  token: string
  /** As typed. */
  every: string
  unit: Unit
}

export type WayField = 'address' | 'token' | 'every'

/** Whether it dials, or is fetched from. */
export const wayOf = ({ pull }: Pick<Device, 'pull'>): Way => (pull.settings ? 'fetched' : 'dials')

export function wayFormOf(now: PullSettings | null): WayForm {
  if (!now) return { way: 'dials', address: '', token: '', every: '4', unit: 'hours' }
  const days = now.every_hours % DAY_HOURS === 0
  return {
    way: 'fetched',
    address: now.address,
    token: '',
    every: String(days ? now.every_hours / DAY_HOURS : now.every_hours),
    unit: days ? 'days' : 'hours',
  }
}

/** Hours from visit to visit; `null` when the platform would refuse them. */
export function everyHours({ every, unit }: Pick<WayForm, 'every' | 'unit'>): number | null {
  const typed = every.trim()
  const count = /^\d+$/.test(typed) ? Number(typed) : 0
  if (count < 1 || count > MOST[unit]) return null
  return unit === 'days' ? count * DAY_HOURS : count
}

/** Elsewhere the certificate is another one, and the security code is asked for again: it must not go to strangers. */
export const isMoved = (form: WayForm, now: PullSettings | null): boolean =>
  form.address.trim() !== (now?.address ?? '')

function addressFits(address: string): boolean {
  if (address.length > MOST_ADDRESS) return false
  const parts = ADDRESS.exec(address)
  if (!parts) return BARE_IPV6.test(address)
  const port = parts[1] === undefined ? 1 : Number(parts[1])
  return port >= 1 && port <= MOST_PORT
}

/** What the platform would refuse; nothing of a station that dials. */
export function wrongFields(form: WayForm, now: PullSettings | null): WayField[] {
  if (form.way === 'dials') return []
  const token = form.token.trim()
  const tokenFits = token === '' ? !isMoved(form, now) : TOKEN.test(token)
  return [
    ...(addressFits(form.address.trim()) ? [] : (['address'] as const)),
    ...(tokenFits ? [] : (['token'] as const)),
    ...(everyHours(form) === null ? (['every'] as const) : []),
  ]
}

/** What is different from what is set; `null` when nothing is. */
export function pullPatch(form: WayForm, now: PullSettings | null): DevicePullPatch | null {
  const out: DevicePullPatch = {}
  if (isMoved(form, now)) out.address = form.address.trim()
  if (form.token.trim() !== '') out.token = form.token.trim()
  const hours = everyHours(form)
  if (hours !== null && hours !== now?.every_hours) out.every_hours = hours
  return Object.keys(out).length > 0 ? out : null
}

/** Of a new station. */
export function pullRequest(form: WayForm): Schemas['DevicePullRequest'] | null {
  const every_hours = everyHours(form)
  if (form.way === 'dials' || every_hours === null) return null
  return { address: form.address.trim(), token: form.token.trim(), every_hours }
}

/** `每 4 小时`, `每 2 天` */
export function everyText(hours: number): string {
  const { t } = i18n.global
  return hours % DAY_HOURS === 0
    ? t('pull.every_days', { n: hours / DAY_HOURS })
    : t('pull.every_hours', { n: hours })
}
