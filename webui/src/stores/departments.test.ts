import { describe, expect, it } from 'vitest'
import type { Department } from '@/api'
import { treeOf, withBelow } from './departments'

const one = (name: string, parent: string | null): Department => ({
  name,
  prefix: 'A',
  parent,
  code: null,
  devices: 0,
  accounts: 0,
})

describe('the organisation tree', () => {
  const all = [one('b', 'a'), one('c', 'b'), one('a', null), one('lost', 'out of sight'), one('d', 'a')]

  it('has children below their parents', () => {
    expect(treeOf(all).map(({ department, depth, parent }) => [department.name, depth, parent])).toEqual([
      ['a', 0, true],
      ['b', 1, true],
      ['c', 2, false],
      ['d', 1, false],
      ['lost', 0, false],
    ])
  })

  it('knows what stands below a department', () => {
    expect([...withBelow(all, 'b')]).toEqual(['b', 'c'])
    expect([...withBelow(all, 'lost')]).toEqual(['lost'])
  })
})
