import { beforeEach, describe, expect, it } from 'vitest'
import { alarmReason, alarmText, stationOf } from './alarms'
import type { Alarm, Device } from './api'
import { setLanguage } from './i18n'
import { takeDevice } from './stores/devices'

const alarm = (over: Partial<Alarm>): Alarm => ({
  id: '1',
  code: 'line_lost',
  params: {},
  category: 'channel',
  severity: 'critical',
  port: null,
  thing: null,
  raised_at: '',
  cleared_at: null,
  count: 1,
  last_raised_at: '',
  acknowledged: null,
  station: 'PLATFORM',
  station_name: null,
  reported_at: '',
  ...over,
})

describe('alarms of many stations', () => {
  beforeEach(async () => {
    await setLanguage('zh-CN')
    takeDevice({ serial: 'S1', name: '城中派出所' } as Device)
  })

  it('are about the station that raised them, or that the platform raised them for', () => {
    expect(stationOf(alarm({ station: 'S1', port: 3 }))?.serial).toBe('S1')
    expect(stationOf(alarm({ code: 'station_offline', thing: 'S1' }))?.serial).toBe('S1')
    expect(stationOf(alarm({ code: 'disk_full', thing: '/data' }))).toBeUndefined()
  })

  it('say why a station does not synchronise', () => {
    const failed = (params: Record<string, unknown>) =>
      alarmReason(alarm({ code: 'synchronisation_failed', params }))
    expect(failed({ pull: 'token_wrong', detail: 'the station does not …' })).toContain('设备不接受该安全码')
    expect(failed({ pull: 'of_a_newer_release', detail: 'the station is …' })).toBe('the station is …')
    expect(failed({ detail: 'entry 7 is …' })).toBe('entry 7 is …')
    expect(failed({ detail: null })).toBe('')
  })

  it('say why an upgrade was not installed', () => {
    const failed = (upgrade: string) =>
      alarmReason(alarm({ code: 'upgrade_failed', params: { upgrade, detail: 'x' } }))
    expect(failed('not_for_this_box')).toContain('不适用于此设备')
    expect(failed('upgrade_failed')).toContain('安装失败')
  })

  it('name a station by its name, and a thing as it is', () => {
    expect(alarmText(alarm({ code: 'station_offline', thing: 'S1' }))).toBe('录音设备离线：城中派出所')
    expect(alarmText(alarm({ code: 'station_offline', thing: 'S2' }))).toBe('录音设备离线：S2')
    expect(alarmText(alarm({ station: 'S1', port: 3 }), '前台')).toBe('断线：通道[3] 前台')
  })
})
