import { describe, expect, it } from 'vitest'
import { fingerprintGroups, isFingerprint } from './fingerprint'

describe('fingerprints', () => {
  const whole = '0123456789abcdef'.repeat(4)

  it('are compared by their digits, however they were typed', () => {
    expect(fingerprintGroups('AB:cd 01-23')).toEqual(['abcd', '0123'])
    expect(isFingerprint(whole.toUpperCase().replace(/(.{4})/g, '$1 '))).toBe(true)
  })

  it('are whole or not at all', () => {
    expect(isFingerprint(whole.slice(1))).toBe(false)
    expect(isFingerprint(`${whole.slice(1)}g`)).toBe(false)
    expect(isFingerprint('')).toBe(false)
  })
})
