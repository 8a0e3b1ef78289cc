import { beforeAll, describe, expect, it } from 'vitest'
import { setLanguage } from '@/i18n'
import { commandProgress, commandResult, commandSubject } from './command-words'

const upgrade = (restart: boolean) => ({
  what: 'upgrade',
  params: { release: '0.2.0', bytes: 52_000_000, sha256: 'ab'.repeat(32), restart },
})

describe('an upgrade in words', () => {
  beforeAll(() => setLanguage('zh-CN'))

  it('names the release, and not its sum', () => {
    expect(commandSubject(upgrade(false))).toBe('升级 0.2.0')
    expect(commandSubject(upgrade(true))).toBe('升级 0.2.0 · 安装后重新启动')
  })

  it('is fetched in bytes and installed in percent', () => {
    const at = (done: number, total: number) =>
      commandProgress({ what: 'upgrade', progress: { done, total } })
    expect(at(12_300_000, 52_000_000)).toBe('正在接收 12.3 MB / 52.0 MB')
    expect(at(0, 52_000_000)).toBe('正在接收 0 B / 52.0 MB')
    expect(at(42, 100)).toBe('正在安装 42%')
    expect(commandProgress({ what: 'upgrade', progress: null })).toBeUndefined()
    expect(commandProgress({ what: 'synchronise', progress: { done: 8230, total: 12272 } })).toBeUndefined()
  })

  it('says when the new release counts, or why it does not', () => {
    const ended = (restart: boolean, code: string | null, detail: Record<string, unknown> = {}) =>
      commandResult({ ...upgrade(restart), state: code ? 'failed' : 'done', code, detail })
    expect(ended(false, null, { restarts: false })).toContain('下次启动后生效')
    expect(ended(true, null, { restarts: true })).toContain('正在重新启动')
    expect(ended(true, null, { restarts: false })).toContain('请手动重启')
    expect(ended(true, null), 'recalled: how it went on is not known').toContain('下次启动后生效')
    const codes = [
      ...['bundle_corrupt', 'not_for_this_box', 'upgrade_running', 'upgrade_failed', 'bundle_gone'],
      ...['disk_full', 'io', 'appliance_failed', 'device_busy', 'not_written', 'answer_unknown', 'cut_off'],
      ...['too_late', 'cancelled', 'unknown_command', 'command_invalid', 'connection_lost'],
    ]
    const sentences = codes.map((code) => ended(true, code))
    expect(new Set(sentences).size).toBe(codes.length)
    for (const sentence of [...sentences, ended(false, 'not_available')]) {
      expect(sentence).toMatch(/^[^_{}]+。$/)
    }
    expect(commandResult({ what: 'restart', state: 'done', params: {}, code: null, detail: {} })).toBe('')
    const running = commandResult({ ...upgrade(true), state: 'running', code: null, detail: {} })
    expect(running).toBe('')
  })
})
