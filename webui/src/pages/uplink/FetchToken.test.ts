import { createApp, h, nextTick } from 'vue'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { api, ApiProblem, type UplinkToken } from '@/api'
import { i18n, setLanguage } from '@/i18n'
import FetchToken from './FetchToken.vue'

const none: UplinkToken = { made: null, last_asked: null, certificate: 'ab'.repeat(32) }
const made: UplinkToken = { ...none, made: '2026-03-01T08:00:12.340+08:00' }

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    await Promise.resolve()
    await nextTick()
  }
}

async function shown(): Promise<HTMLElement> {
  const box = document.createElement('div')
  createApp({ render: () => h(FetchToken) })
    .use(i18n)
    .mount(box)
  await settled()
  return box
}

describe('the security code of a station', () => {
  beforeEach(async () => {
    vi.restoreAllMocks()
    await setLanguage('zh-CN')
  })

  it('is made, and shown once', async () => {
    const ask = vi.spyOn(api, 'uplinkToken').mockResolvedValue(none)
    vi.spyOn(api, 'makeUplinkToken').mockResolvedValue({ token: 'x'.repeat(64) })
    const box = await shown()
    expect(box.textContent).toContain('任何平台都不能获取')
    ask.mockResolvedValue(made)
    box.querySelector<HTMLButtonElement>('button')?.click()
    await settled()
    expect(box.querySelector('code')?.textContent).toBe('x'.repeat(64))
    expect(box.textContent).toContain('生成于 2026-03-01 08:00:12')
    expect((await shown()).querySelector('code'), 'on the page opened again').toBeNull()
  })

  it('says when it was last used', async () => {
    vi.spyOn(api, 'uplinkToken').mockResolvedValue({ ...made, last_asked: '2026-03-02T09:00:00.000+08:00' })
    expect((await shown()).textContent).toContain('最近使用 2026-03-02 09:00:00')
  })

  it('says why it cannot be made, and asks again when it could not be read', async () => {
    vi.spyOn(api, 'uplinkToken').mockResolvedValue(none)
    vi.spyOn(api, 'makeUplinkToken').mockRejectedValue(new ApiProblem(500, 'storage_failed'))
    const box = await shown()
    box.querySelector<HTMLButtonElement>('button')?.click()
    await settled()
    expect(box.querySelector('[role=alert]')?.textContent).toContain('设备磁盘出错')
    const ask = vi.spyOn(api, 'uplinkToken').mockRejectedValue(new ApiProblem(0, 'unreachable'))
    const lost = await shown()
    ask.mockResolvedValue(made)
    lost.querySelector<HTMLButtonElement>('[role=alert] button')?.click()
    await settled()
    expect(lost.textContent).toContain('生成于')
  })
})
