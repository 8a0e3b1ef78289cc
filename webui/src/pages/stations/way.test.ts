import { beforeEach, describe, expect, it } from 'vitest'
import type { PullSettings } from '@/api'
import { setLanguage } from '@/i18n'
import { everyHours, everyText, pullPatch, pullRequest, wayFormOf, wrongFields, type WayForm } from './way'

const TOKEN = '0123456789abcdef'
const settings: PullSettings = { address: '192.0.2.7', every_hours: 48, certificate: 'ab'.repeat(32) }

const form = (over: Partial<WayForm> = {}): WayForm => ({
  way: 'fetched',
  address: '192.0.2.7:8443',
  token: TOKEN,
  every: '4',
  unit: 'hours',
  ...over,
})

describe('how a station comes to the platform', () => {
  beforeEach(() => setLanguage('zh-CN'))

  it('is a form, and no change as it comes', () => {
    const now = wayFormOf(settings)
    expect(now).toEqual({ way: 'fetched', address: '192.0.2.7', token: '', every: '2', unit: 'days' })
    expect(wrongFields(now, settings)).toEqual([])
    expect(pullPatch(now, settings)).toBeNull()
    expect(wayFormOf({ ...settings, every_hours: 10 })).toMatchObject({ every: '10', unit: 'hours' })
    expect(wayFormOf(null).way).toBe('dials')
  })

  it('sends only what was changed', () => {
    expect(pullPatch({ ...wayFormOf(settings), every: '3' }, settings)).toEqual({ every_hours: 72 })
    expect(pullPatch({ ...wayFormOf(settings), token: ` ${TOKEN}\n` }, settings)).toEqual({ token: TOKEN })
    expect(pullPatch(form(), null)).toEqual({ address: '192.0.2.7:8443', token: TOKEN, every_hours: 4 })
    expect(pullRequest(form())).toEqual({ address: '192.0.2.7:8443', token: TOKEN, every_hours: 4 })
    expect(pullRequest(form({ way: 'dials' }))).toBeNull()
  })

  it('asks for the security code again where it would go elsewhere', () => {
    const moved = { ...wayFormOf(settings), address: '198.51.100.1' }
    expect(wrongFields(moved, settings)).toEqual(['token'])
    expect(wrongFields({ ...moved, token: TOKEN }, settings)).toEqual([])
    expect(wrongFields(form({ token: '' }), null)).toEqual(['token'])
  })

  it('takes addresses as the platform does', () => {
    for (const address of ['192.0.2.7:443', 'box.example', '2001:db8::7', '[2001:db8::7]', '[2001:db8::7]:1'])
      expect(wrongFields(form({ address }), null), address).toEqual([])
    for (const address of [
      '',
      'a b',
      'https://192.0.2.7',
      'host:0',
      'host:65536',
      'user@host',
      'host/x',
      'host:',
      'x:y:z',
    ])
      expect(wrongFields(form({ address }), null), address).toEqual(['address'])
  })

  it('takes 1 to 10 hours, or days', () => {
    const hours = (every: string, unit: WayForm['unit'] = 'hours') => everyHours({ every, unit })
    expect(['1', ' 10 ', '0', '11', '', '1.5', '-1', 'x'].map((every) => hours(every))).toEqual([
      1,
      10,
      ...Array<null>(6).fill(null),
    ])
    expect([hours('1', 'days'), hours('30', 'days'), hours('31', 'days')]).toEqual([24, 720, null])
    expect([everyText(4), everyText(48)]).toEqual(['每 4 小时', '每 2 天'])
    expect(wrongFields(form({ every: '11' }), null)).toEqual(['every'])
    expect(wrongFields(form({ way: 'dials', address: '', token: '', every: '' }), null)).toEqual([])
  })
})
