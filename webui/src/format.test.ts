import { describe, expect, it } from 'vitest'
import { bytes, count, dateTime, duration, elapsed, volts } from './format'

describe('format', () => {
  it.each([
    [0, '0:00:00'],
    [59.999, '0:00:59'],
    [306, '0:05:06'],
    [3600, '1:00:00'],
    [360000, '100:00:00'],
    [null, '–'],
    [-1, '–'],
    [NaN, '–'],
  ])('duration of %s s is %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text)
  })

  it('keeps the time as the box wrote it', () => {
    expect(dateTime('2026-03-01T23:59:59.999+08:00')).toBe('2026-03-01 23:59:59')
    expect(dateTime(null)).toBe('–')
  })

  it('shows voltages by magnitude', () => {
    expect(volts(-48.25)).toBe('48.3 V')
    expect(volts(null)).toBe('–')
  })

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [999_600, '1.0 MB'],
    [512_000_000_000, '512 GB'],
    [4e15, '4000 TB'],
  ])('%s bytes are %s', (n, text) => {
    expect(bytes(n)).toBe(text)
  })

  it('never shows a time before it began', () => {
    const since = '2026-03-01T08:00:00.500+08:00'
    expect(elapsed(since, Date.parse(since) - 500)).toBe('0:00:00')
    expect(elapsed(since, Date.parse(since) + 61_000)).toBe('0:01:01')
    expect(elapsed(null, 0)).toBe('')
  })

  it('groups thousands', () => {
    expect(count(999)).toBe('999')
    expect(count(1234567)).toBe('1,234,567')
  })
})
