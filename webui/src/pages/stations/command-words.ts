// What a command asks of a station, how far it is and how it ended, in the reader's language.
import type { Command } from '@/api'
import { bytes, dateTime } from '@/format'
import { i18n } from '@/i18n'
import { parameterText } from '@/pages/audit/words'
import { codeText } from '@/problem'

/** Of an upgrade that is no longer being fetched: the rest is counted in percent. */
export const INSTALLING_TOTAL = 100

/** `手动同步 2026-03-01 00:00:00 – 2026-03-02 00:00:00`; one of a newer release as it is. */
export function commandSubject({ what, params }: Pick<Command, 'what' | 'params'>): string {
  const { t, te } = i18n.global
  const name = te(`command_what.${what}`) ? t(`command_what.${what}`) : what
  const { from, to, release, restart } = params
  if (typeof from === 'string' && typeof to === 'string') return `${name} ${dateTime(from)} – ${dateTime(to)}`
  if (what === 'upgrade' && typeof release === 'string') {
    return `${name} ${release}${restart === true ? ` · ${t('command.then_restart')}` : ''}`
  }
  const rest = parameterText(params)
  return rest ? `${name}: ${rest}` : name
}

/** How far an upgrade is: first in bytes, then in percent. Others count what two numbers say by themselves. */
export function commandProgress({ what, progress }: Pick<Command, 'what' | 'progress'>): string | undefined {
  if (what !== 'upgrade' || !progress) return undefined
  const { t } = i18n.global
  const { done, total } = progress
  if (total === INSTALLING_TOTAL) return t('command.installing', { percent: done })
  return t('command.fetching', { done: bytes(done), total: bytes(total) })
}

/** Why it failed, or what there is to know of what was done; empty for what needs no words. */
export function commandResult({
  what,
  state,
  params,
  code,
  detail,
}: Pick<Command, 'what' | 'state' | 'params' | 'code' | 'detail'>): string {
  if (code !== null) return codeText(code, { ...params, ...detail })
  if (what !== 'upgrade' || state !== 'done') return ''
  // What the station has said counts, not what was asked; of a command before a restart nothing more is known.
  const { restarts } = detail as { restarts?: unknown }
  if (restarts === true) return i18n.global.t('command.upgraded_restart')
  const refused = params['restart'] === true && restarts === false
  return i18n.global.t(refused ? 'command.upgraded_not_restarted' : 'command.upgraded')
}
