// The settings of the connection between the interface and the form.
import type { PlatformLink, PlatformLinkPatch } from '@/api'
import { fingerprintDigits } from '@/fingerprint'

export interface LinkForm {
  switched_on: boolean
  address: string
  /** As typed; empty: the first platform that answers is taken for the right one. */
  fingerprint: string
}

/** What the form says differently from the station; `null` when nothing. */
export function change(form: LinkForm, now: PlatformLink['settings']): PlatformLinkPatch | null {
  const out: PlatformLinkPatch = {}
  if (form.switched_on !== now.switched_on) out.switched_on = form.switched_on
  const address = form.address.trim() || null
  if (address !== now.address) out.address = address
  if (fingerprintDigits(form.fingerprint) !== fingerprintDigits(now.fingerprint ?? ''))
    out.fingerprint = form.fingerprint.trim() || null
  return Object.keys(out).length > 0 ? out : null
}
