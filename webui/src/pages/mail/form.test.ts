import { describe, expect, it } from 'vitest'
import type { MailNow, MailSettings } from '@/api'
import { changes, fieldInForm, formOf, portFor, wrongFields } from './form'

const settings: MailSettings = {
  switched_on: true,
  server: 'smtp.example.org',
  port: 465,
  security: 'tls',
  ca_certificate: null,
  account: null,
  sender: 'box@example.org',
  recipients: ['a@example.org', 'b@example.org'],
  language: 'zh-CN',
  alarms: ['disk_full', 'line_lost'],
  cleared: true,
  collect_s: 60,
  summary: false,
  summary_at: '08:00',
}
const now: MailNow = { settings, secret_set: true, kinds: [], recipients: [], test: null }

describe('e-mail settings', () => {
  it('are no change as they come, in whatever order the kinds stand', () => {
    const form = formOf(settings)
    form.alarms.reverse()
    expect(changes(form, settings)).toBeNull()
    expect(wrongFields(form, now)).toEqual([])
    expect(form.recipients).toHaveLength(5)
  })

  it('send only what was changed, and a secret only when one was typed', () => {
    const form = formOf(settings)
    form.recipients[0] = ''
    form.recipients[4] = ' c@example.org '
    form.collect_s = '30'
    expect(changes(form, settings)).toEqual({ recipients: ['b@example.org', 'c@example.org'], collect_s: 30 })
    form.secret = 'a code'
    expect(changes(form, settings)).toHaveProperty('secret', 'a code')
    form.secret_off = true
    expect(changes(form, settings)).toHaveProperty('secret', null)
  })

  it('ask for the secret again where it would go elsewhere', () => {
    const form = formOf(settings)
    form.server = 'mine.example.net'
    expect(wrongFields(form, now)).toEqual(['secret'])
    form.secret = 'a code'
    expect(wrongFields(form, now)).toEqual([])
  })

  it('name each field that cannot be', () => {
    const form = formOf(settings)
    Object.assign(form, { server: '', port: '0', sender: 'box', collect_s: '', summary_at: '', secret: 'x' })
    form.recipients = ['a@example.org', 'A@example.org', 'nobody', '', '']
    expect(wrongFields(form, now)).toEqual([
      'server',
      'port',
      'sender',
      'recipients[1]',
      'recipients[2]',
      'collect_s',
      'summary_at',
    ])
    form.recipients = ['', '', '', '', '']
    expect(wrongFields(form, now)).toContain('recipients[0]')
  })

  it('find the address that the box means', () => {
    const form = formOf(settings)
    form.recipients = ['', 'a@example.org', '', 'b@example.org', '']
    expect(fieldInForm('recipients[1]', form)).toBe('recipients[3]')
    expect(fieldInForm('server', form)).toBe('server')
  })

  it('move the port with the connection, unless it is a port of its own', () => {
    expect(portFor('starttls', '465')).toBe('587')
    expect(portFor('none', '')).toBe('25')
    expect(portFor('tls', '2525')).toBe('2525')
  })
})
