import { describe, expect, it } from 'vitest'
import { portsOf } from './numbers'

describe('ports as typed', () => {
  it('are numbers and ranges', () => {
    expect(portsOf('1-3, 7 2，9')).toEqual([1, 2, 3, 7, 9])
    expect(portsOf('')).toEqual([])
  })
  it('are refused when they are something else', () => {
    for (const typed of ['0', '3-1', 'a', '1-99999', '1--2']) expect(portsOf(typed), typed).toBeNull()
  })
})
