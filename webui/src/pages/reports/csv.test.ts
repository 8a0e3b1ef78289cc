import { describe, expect, it } from 'vitest'
import type { Statistics } from '@/api'
import { csvOf } from './csv'

const one = (count: number, duration_s: number) => ({ count, duration_s })
const totals = (count: number, duration_s: number) => ({
  incoming_answered: one(count, duration_s),
  incoming_missed: one(0, 0),
  outgoing_answered: one(0, 0),
  outgoing_unanswered: one(0, 0),
  unknown: one(0, 0),
  total: one(count, duration_s),
})

describe('a report as a file', () => {
  const statistics: Statistics = {
    by: 'station',
    rows: [
      { key: 'A', name: '=1+1', totals: totals(2, 61) },
      { key: 'B', name: 'East, "the" second', totals: totals(1, 5) },
    ],
    totals: totals(3, 66),
  }
  const lines = csvOf(
    statistics,
    (row) => row.name ?? row.key,
    (key) => key,
  ).split('\r\n')

  it('has a heading, a row each, and the sum', () => {
    expect(lines[0]?.startsWith('\uFEFFreports_by.station,call_type.incoming_answered,')).toBe(true)
    expect(lines[3]).toBe('reports.total,3,0,0,0,0,3,0:01:06,66')
    expect(lines[4]).toBe('')
  })

  it('has names that are no formulas, and quotes what needs it', () => {
    expect(lines[1]).toBe("'=1+1,2,0,0,0,0,2,0:01:01,61")
    expect(lines[2]?.startsWith('"East, ""the"" second",1,')).toBe(true)
  })
})
