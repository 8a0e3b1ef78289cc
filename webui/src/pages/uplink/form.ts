// The settings of the connection between the interface and the form.
import type { PlatformLink, PlatformLinkPatch } from '@/api'
import { fingerprintDigits } from '@/fingerprint'

const LEAST_WAIT_S = 1
const MOST_WAIT_S = 30 * 86_400

export interface LinkForm {
  switched_on: boolean
  address: string
  /** As typed; empty: none is pinned. */
  fingerprint: string
  /** As typed. */
  unreachable_after_s: string
}

export const formOf = (now: PlatformLink['settings']): LinkForm => ({
  switched_on: now.switched_on,
  address: now.address ?? '',
  fingerprint: now.fingerprint ?? '',
  unreachable_after_s: String(now.unreachable_after_s),
})

/** Seconds as typed; `null` when the box would refuse them. */
export function waitSeconds({ unreachable_after_s }: Pick<LinkForm, 'unreachable_after_s'>): number | null {
  const typed = unreachable_after_s.trim()
  const value = typed === '' ? NaN : Number(typed)
  return Number.isInteger(value) && value >= LEAST_WAIT_S && value <= MOST_WAIT_S ? value : null
}

/** What the form says differently from the station; `null` when nothing. */
export function change(form: LinkForm, now: PlatformLink['settings']): PlatformLinkPatch | null {
  const out: PlatformLinkPatch = {}
  if (form.switched_on !== now.switched_on) out.switched_on = form.switched_on
  const address = form.address.trim() || null
  if (address !== now.address) out.address = address
  if (fingerprintDigits(form.fingerprint) !== fingerprintDigits(now.fingerprint ?? ''))
    out.fingerprint = form.fingerprint.trim() || null
  if (form.unreachable_after_s.trim() !== String(now.unreachable_after_s))
    out.unreachable_after_s = waitSeconds(form) ?? now.unreachable_after_s
  return Object.keys(out).length > 0 ? out : null
}
