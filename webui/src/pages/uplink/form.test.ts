import { describe, expect, it } from 'vitest'
import { change } from './form'

const PRINT = '0123456789abcdef'.repeat(4)

describe('the form of the platform connection', () => {
  const now = { switched_on: false, address: null, fingerprint: PRINT }

  it('says nothing when only the writing differs', () => {
    const typed = PRINT.replace(/(.{4})/g, '$1 ').toUpperCase()
    expect(change({ switched_on: false, address: '  ', fingerprint: typed }, now)).toBeNull()
  })

  it('says what differs, and nothing else', () => {
    expect(change({ switched_on: true, address: ' a:1311 ', fingerprint: PRINT }, now)).toEqual({
      switched_on: true,
      address: 'a:1311',
    })
  })

  it('gives up a pinned key when the field is emptied', () => {
    expect(change({ switched_on: false, address: '', fingerprint: '' }, now)).toEqual({ fingerprint: null })
  })
})
