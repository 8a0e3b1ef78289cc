import { describe, expect, it } from 'vitest'
import { treeOf } from '@/stores/departments'
import { step, visible } from './tree-keys'

const tree = treeOf(
  [
    ['top', null],
    ['a', 'top'],
    ['a1', 'a'],
    ['b', 'top'],
    ['other', null],
  ].map(([name, parent]) => ({
    name: name ?? '',
    prefix: 'A',
    parent: parent ?? null,
    code: null,
    devices: 0,
    accounts: 0,
  })),
)
const names = (folded: string[]) => visible(tree, new Set(folded)).map(({ department }) => department.name)

describe('keys of the tree', () => {
  it('hides what lies below a folded department', () => {
    expect(names([])).toEqual(['top', 'a', 'a1', 'b', 'other'])
    expect(names(['a'])).toEqual(['top', 'a', 'b', 'other'])
    expect(names(['top', 'a'])).toEqual(['top', 'other'])
  })

  it('opens and goes in to the right, folds and goes out to the left', () => {
    const none = new Set<string>()
    const folded = new Set(['a'])
    expect(step(visible(tree, folded), folded, 'a', 'ArrowRight')).toEqual({ to: 'a', fold: false })
    expect(step(tree, none, 'a', 'ArrowRight')).toEqual({ to: 'a1' })
    expect(step(tree, none, 'a', 'ArrowLeft')).toEqual({ to: 'a', fold: true })
    expect(step(tree, none, 'a1', 'ArrowLeft')).toEqual({ to: 'a' })
    expect(step(tree, none, 'b', 'ArrowRight')).toBeNull()
    expect(step(tree, none, 'other', 'ArrowLeft')).toBeNull()
  })

  it('stays at both ends', () => {
    const none = new Set<string>()
    expect(step(tree, none, 'top', 'ArrowUp')).toEqual({ to: 'top' })
    expect(step(tree, none, 'top', 'End')).toEqual({ to: 'other' })
    expect(step(tree, none, 'other', 'ArrowDown')).toEqual({ to: 'other' })
  })
})
