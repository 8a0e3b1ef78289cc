import { describe, expect, it } from 'vitest'
import {
  addressOf,
  anyFilter,
  apiQuery,
  CHIPS,
  chipIsSet,
  filtersFrom,
  noFilters,
  withoutChip,
} from './query'

const ZONE = 'Asia/Shanghai'
const NOON = Date.parse('2026-03-02T12:00:00+08:00')

describe('filters of the recordings list', () => {
  it('asks nothing when nothing is set', () => {
    expect(apiQuery(noFilters(), ZONE, NOON)).toEqual({})
    expect(addressOf(noFilters())).toEqual({})
    expect(anyFilter(noFilters())).toBe(false)
  })

  it('comes back from the address as it went in', () => {
    const filters = {
      ...noFilters(),
      period: 'custom' as const,
      from: '2026-03-01 08:00:00',
      to: '2026-03-01 09:30:00',
      port: [3, 14],
      number: '8012',
      call_type: ['incoming_missed'],
      min_duration_s: 0,
      max_score: 10,
      deleted: 'all',
    }
    expect(filtersFrom(addressOf(filters) as never)).toEqual(filters)
  })

  it('leaves out of an address what no filter can be', () => {
    const found = filtersFrom({
      port: ['0', 'x', '7'],
      grade: ['golden', 'permanent'],
      min_score: '-3',
      from: 'yesterday',
      period: 'custom',
      audio: 'loud',
    })
    expect(found).toEqual({ ...noFilters(), port: [7], grade: ['permanent'] })
  })

  it('counts days by the box, wherever the browser stands', () => {
    const asked = (period: 'today' | 'yesterday' | 'week') => apiQuery({ ...noFilters(), period }, ZONE, NOON)
    expect(asked('today')).toEqual({ from: '2026-03-02T00:00:00.000+08:00' })
    expect(asked('yesterday')).toEqual({
      from: '2026-03-01T00:00:00.000+08:00',
      to: '2026-03-02T00:00:00.000+08:00',
    })
    expect(asked('week')).toEqual({ from: '2026-02-24T00:00:00.000+08:00' })
  })

  it('forgets the times of a custom period when another is chosen', () => {
    const filters = { ...noFilters(), period: 'all' as const, from: '2026-03-01 08:00:00' }
    expect(addressOf(filters)).toEqual({})
    expect(apiQuery(filters, ZONE, NOON)).toEqual({})
  })

  it('takes each chip off whole', () => {
    const all = filtersFrom({
      call_type: 'unknown',
      min_duration_s: '5',
      max_duration_s: '9',
      min_score: '1',
      tag: 'x',
      text: 'x',
      grade: 'normal',
      line_number: '1',
      peer_number: '2',
      start_mode: 'voice',
      stop_mode: 'length',
      audio: 'with',
      deleted: 'yes',
      call_id: 'c',
    })
    for (const chip of CHIPS) {
      expect(chipIsSet(chip, all), chip.name).toBe(true)
      expect(chipIsSet(chip, withoutChip(chip, all)), chip.name).toBe(false)
    }
    expect(CHIPS.reduce((left, chip) => withoutChip(chip, left), all)).toEqual(noFilters())
  })
})
