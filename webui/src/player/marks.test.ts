import { describe, expect, it } from 'vitest'
import { labels, magnitudes } from './marks'

describe('marks on the waveform', () => {
  it('reads digits dialled close together as one number', () => {
    const found = labels(
      [
        { mark: 'digit', sample: 1000, digit: '1' },
        { mark: 'digit', sample: 2000, digit: '3' },
        { mark: 'digit', sample: 60_000, digit: '#' },
      ],
      100_000,
    )
    expect(found.map(({ text, sample }) => [text, sample])).toEqual([
      ['13', 1000],
      ['#', 60_000],
    ])
  })

  it('keeps a row of digits whole, however long it is', () => {
    const marks = Array.from({ length: 20 }, (_, i) => ({
      mark: 'digit' as const,
      sample: i * 1500,
      digit: '7',
    }))
    expect(labels(marks, 100_000)).toHaveLength(1)
  })

  it('never leaves the waveform', () => {
    const found = labels(
      [
        { mark: 'gap', sample: 90_000, samples: 50_000 },
        { mark: 'tone', sample: 200_000, tone: 'busy' },
      ],
      100_000,
    )
    for (const { at, width } of found) expect(at + width).toBeLessThanOrEqual(1)
  })

  it('has nothing to show on a record without audio', () => {
    expect(labels([{ mark: 'digit', sample: 0, digit: '1' }], 0)).toEqual([])
  })

  it('makes one magnitude of each pair', () => {
    expect(magnitudes([-128, 127, 0, 0, -3, 64])).toEqual([1, 0, 0.5])
  })
})
