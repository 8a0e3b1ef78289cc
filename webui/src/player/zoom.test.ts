import { describe, expect, it } from 'vitest'
import { clampZoom, inSight, mostZoom, scrollKeeping, scrollTo, STEP } from './zoom'

const VIEW = 800

describe('the stretched waveform', () => {
  it('keeps the point under the mouse where it is', () => {
    // Half of an unstretched recording stands in the middle; it does at four times, too.
    const scroll = scrollKeeping(0.5, 1, 4, 0, VIEW)
    expect(0.5 * 4 * VIEW - scroll).toBe(VIEW / 2)
    // And at a point a quarter into the view of a stretched one.
    const next = scrollKeeping(0.3, 4, 6, 760, VIEW)
    expect(0.3 * 6 * VIEW - next).toBeCloseTo(0.3 * 4 * VIEW - 760)
  })

  it('never scrolls beyond an end', () => {
    expect(scrollKeeping(0, 1, 8, 0, VIEW)).toBe(0)
    expect(scrollKeeping(1, 1, 8, 0, VIEW)).toBe(7 * VIEW)
    expect(scrollKeeping(0.9, 8, 1, 5000, VIEW)).toBe(0)
    expect(scrollTo(1, 8, VIEW)).toBe(7 * VIEW)
    expect(scrollTo(0.001, 8, VIEW)).toBe(0)
  })

  it('shows what comes after the position', () => {
    const scroll = scrollTo(0.5, 8, VIEW)
    expect(inSight(0.5, 8, scroll, VIEW)).toBe(true)
    expect(inSight(0.55, 8, scroll, VIEW)).toBe(true)
    expect(inSight(0.45, 8, scroll, VIEW)).toBe(false)
  })

  it('ends where the peaks have no more to show, and where a canvas grows too wide', () => {
    expect(mostZoom(VIEW, 4000)).toBe(10)
    expect(mostZoom(VIEW, 10_000_000)).toBe(50)
    expect(mostZoom(VIEW, 100)).toBe(1)
    expect(mostZoom(0, 4000)).toBe(1)
    expect(clampZoom(STEP ** 20, 10)).toBe(10)
    expect(clampZoom(1 / STEP, 10)).toBe(1)
  })
})
