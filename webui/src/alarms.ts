// What an alarm says and what to do about it, in the reader's language.
import type { Alarm, Device } from './api'
import { i18n } from './i18n'
import { codeText } from './problem'
import { pullTroubleText } from './pull'
import { device, deviceName } from './stores/devices'

/** The station that an alarm is about: one of its own, or one of the platform's about it. */
export const stationOf = (alarm: Alarm): Device | undefined =>
  device(alarm.station) ?? (alarm.thing === null ? undefined : device(alarm.thing))

/** What is wrong, on which thing: `断线：通道[3] 前台`. */
export function alarmText(alarm: Alarm, portName?: string): string {
  const { t, te } = i18n.global
  const key = `alarm.${alarm.code}.what`
  const what = te(key) ? t(key, alarm.params) : t('alarm.other.what', { code: alarm.code })
  const channel = alarm.port === null ? '' : t('alarm_channel', { port: alarm.port })
  const named = stationOf(alarm)
  const own = named && alarm.thing === named.serial ? deviceName(named) : alarm.thing
  const thing = channel ? [channel, portName].filter(Boolean).join(' ') : own
  return thing ? t('alarm_of_thing', { what, thing }) : what
}

/** What was found, where the alarm says so: in words where the pages have some, else as the box wrote it. */
export function alarmReason({ params }: Pick<Alarm, 'params'>): string {
  const { pull, upgrade, detail } = params
  const sentence = typeof detail === 'string' ? detail : ''
  if (typeof pull === 'string') return pullTroubleText({ code: pull, sentence })
  return typeof upgrade === 'string' ? codeText(upgrade) : sentence
}

export function alarmAdvice(alarm: Alarm): string {
  const { t, te } = i18n.global
  const key = `alarm.${alarm.code}.do`
  return te(key) ? t(key, alarm.params) : t('alarm.other.do')
}
