// What a command asks of a station, in the reader's language.
import type { Command } from '@/api'
import { dateTime } from '@/format'
import { i18n } from '@/i18n'
import { parameterText } from '@/pages/audit/words'

/** `手动同步 2026-03-01 00:00:00 – 2026-03-02 00:00:00`; one of a newer release as it is. */
export function commandSubject({ what, params }: Pick<Command, 'what' | 'params'>): string {
  const { t, te } = i18n.global
  const name = te(`command_what.${what}`) ? t(`command_what.${what}`) : what
  const { from, to } = params
  if (typeof from === 'string' && typeof to === 'string') return `${name} ${dateTime(from)} – ${dateTime(to)}`
  const rest = parameterText(params)
  return rest ? `${name}: ${rest}` : name
}
