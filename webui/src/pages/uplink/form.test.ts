import { describe, expect, it } from 'vitest'
import { change, formOf, waitSeconds } from './form'

const PRINT = '0123456789abcdef'.repeat(4)

describe('the form of the platform connection', () => {
  const now = { switched_on: false, address: null, fingerprint: PRINT, unreachable_after_s: 600 }
  const form = formOf(now)

  it('says nothing when only the writing differs', () => {
    const typed = PRINT.replace(/(.{4})/g, '$1 ').toUpperCase()
    expect(change({ ...form, address: '  ', fingerprint: typed }, now)).toBeNull()
  })

  it('says what differs, and nothing else', () => {
    expect(change({ ...form, switched_on: true, address: ' a:1311 ' }, now)).toEqual({
      switched_on: true,
      address: 'a:1311',
    })
    expect(change({ ...form, unreachable_after_s: ' 60' }, now)).toEqual({ unreachable_after_s: 60 })
  })

  it('gives up a pinned key when the field is emptied', () => {
    expect(change({ ...form, fingerprint: '' }, now)).toEqual({ fingerprint: null })
  })

  it('knows which times are none', () => {
    for (const typed of ['', '0', '-1', '1.5', 'a', '99999999'])
      expect(waitSeconds({ unreachable_after_s: typed }), typed).toBeNull()
  })
})
