import { beforeEach, describe, expect, it } from 'vitest'
import { setLanguage } from '@/i18n'
import { itemText, operationText, parameterText } from './words'

describe('words of the audit trail', () => {
  beforeEach(() => setLanguage('zh-CN'))

  it('tells a change in the words of the settings', () => {
    const parameters = {
      before: { start_mode: 'voltage', off_hook_below_volts: 16 },
      after: { start_mode: 'voice' },
    }
    expect(parameterText(parameters)).toBe(
      '修改前 起始模式 压控录音; 摘机门限（低于） 16; 修改后 起始模式 声控录音',
    )
    expect(parameterText({ rights: ['live', 'listen'] })).toBe('权限 查看实时状态 听录音')
  })

  it('tells settings of e-mail in their own words', () => {
    const after = { switched_on: true, security: 'none', secret_set: true }
    expect(parameterText({ after }, 'mail')).toBe('修改后 启用邮件推送 是; 连接方式 不加密; 已给出授权码 是')
    expect(parameterText({ switched_on: true })).not.toContain('邮件')
  })

  it('tells how a station is fetched from in its own words', () => {
    const after = { address: '192.0.2.7', every_hours: 48, certificate: null }
    expect(parameterText({ after, token_set: true }, 'device')).toBe(
      '修改后 设备地址 192.0.2.7; 获取间隔（小时） 48; 页面证书指纹 –; 已填写安全码 是',
    )
    expect(parameterText({ address: 'platform.example' })).toBe('平台地址 platform.example')
    expect(operationText('fetch_now')).toBe('立即获取')
    expect(itemText('platform')).toBe('平台连接')
  })

  it('shows what it does not know as it is', () => {
    expect(operationText('of_a_newer_release')).toBe('of_a_newer_release')
    expect(parameterText({ colour: 'red', grade: 'golden', note: null })).toBe(
      'colour red; 级别 golden; 备注 –',
    )
    expect(parameterText({})).toBe('')
    expect(parameterText({ disabled: false })).toBe('停用 否')
    expect(parameterText({ ports: [] }), 'an empty list is said, not left out').toBe('端口 –')
  })
})
