import { createApp, h } from 'vue'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Device, PullNow } from '@/api'
import { i18n, setLanguage } from '@/i18n'
import StationPull from './StationPull.vue'

const settings = { address: '192.0.2.7', every_hours: 6, certificate: null }
const quiet: PullNow = {
  state: 'waiting',
  last_success: '2026-03-01T08:00:12.340+08:00',
  last_try: '2026-03-01T08:00:12.340+08:00',
  next: '2026-03-01T14:00:12.340+08:00',
  trouble: null,
  offered_certificate: null,
  progress: null,
  dials: false,
}

function shown(now: Partial<PullNow> | null, may = true): HTMLElement {
  const box = document.createElement('div')
  const pull = { settings, now: now && { ...quiet, ...now } }
  const device = { serial: 'S1', name: '', switched_on: true, pull } as Device
  createApp({ render: () => h(StationPull, { device, settings, may }) })
    .use(i18n)
    .mount(box)
  return box
}

const buttons = (box: HTMLElement) =>
  [...box.querySelectorAll('button')].map(({ textContent }) => textContent)

describe('a station that is fetched from', () => {
  beforeEach(() => setLanguage('zh-CN'))

  it('says when it last had everything, and when it is asked next', () => {
    const text = shown({}).textContent
    expect(text).toContain('最近成功获取2026-03-01 08:00:12')
    expect(text).toContain('下次获取2026-03-01 14:00:12')
    expect(text).toContain('每 6 小时')
    expect(shown(null).textContent, 'not looked at yet').toContain('最近成功获取从未')
  })

  it('says why it fails, with what was found, and lets a new certificate be compared', () => {
    const trouble = { code: 'other_station', sentence: 'another station answers', detail: 'HKLN-7' } as const
    const failing = shown({ trouble })
    expect(failing.querySelector('[role=alert]')?.textContent).toContain('另一台设备')
    expect(failing.querySelector('[role=alert]')?.textContent).toContain('(HKLN-7)')
    expect(buttons(failing)).toEqual(['立即获取', '修改'])
    const offered = {
      trouble: { ...trouble, code: 'other_certificate' },
      offered_certificate: 'ab'.repeat(32),
    } as const
    expect(buttons(shown(offered))).toEqual(['立即获取', '修改', '核对新证书'])
    expect(buttons(shown(offered, false)), 'of another department').toEqual([])
  })

  it('shows how far a visit is, and asks for no second one', () => {
    const running = shown({ state: 'running', next: null, progress: { done: 12, total: 40 } })
    expect(running.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow')).toBe('12')
    expect(running.querySelector('button')?.classList.contains('is-loading')).toBe(true)
    expect(shown({}).querySelector('button')?.classList.contains('is-loading')).toBe(false)
  })
})
