import { describe, expect, it } from 'vitest'
import { localDay, localToRfc3339, offsetSeconds, toRfc3339 } from './zone'

describe('times of the box', () => {
  it('has the offset of the zone at that moment', () => {
    expect(offsetSeconds('Asia/Shanghai', Date.UTC(2026, 2, 1))).toBe(8 * 3600)
    expect(offsetSeconds('Europe/Berlin', Date.UTC(2026, 0, 1))).toBe(3600)
    expect(offsetSeconds('Europe/Berlin', Date.UTC(2026, 6, 1))).toBe(7200)
    expect(offsetSeconds('America/St_Johns', Date.UTC(2026, 0, 1))).toBe(-12600)
  })

  it('reads what a person typed as the box means it', () => {
    expect(localToRfc3339('Asia/Shanghai', '2026-03-01 08:00:00')).toBe('2026-03-01T08:00:00.000+08:00')
    expect(localToRfc3339('America/St_Johns', '2026-01-05 00:00:00')).toBe('2026-01-05T00:00:00.000-03:30')
  })

  it('goes there and back on both sides of a summer-time change', () => {
    for (const hour of ['00', '01', '03', '04', '12']) {
      const text = `2026-03-29 ${hour}:30:00`
      const rfc = localToRfc3339('Europe/Berlin', text)
      expect(rfc.slice(0, 19).replace('T', ' ')).toBe(text)
      expect(toRfc3339('Europe/Berlin', Date.parse(rfc))).toBe(rfc)
    }
  })

  it('moves by whole days of the box', () => {
    const late = Date.UTC(2026, 1, 28, 17)
    expect(localDay('Asia/Shanghai', late)).toBe('2026-03-01')
    expect(localDay('Asia/Shanghai', late, -1)).toBe('2026-02-28')
  })
})
