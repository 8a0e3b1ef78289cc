// How long something has lasted, as a person says it.
import { i18n } from '@/i18n'

const HOUR_S = 3600
const DAY_S = 24 * HOUR_S

/** `2 天 3 小时`, `3 小时 12 分`; less than a minute is no time at all. */
export function spanWords(seconds: number): string {
  const { t } = i18n.global
  const whole = Math.max(0, Math.floor(seconds))
  const days = Math.floor(whole / DAY_S)
  const hours = Math.floor((whole % DAY_S) / HOUR_S)
  const minutes = Math.floor((whole % HOUR_S) / 60)
  return days > 0 ? t('span.days', { days, hours }) : t('span.hours', { hours, minutes })
}
