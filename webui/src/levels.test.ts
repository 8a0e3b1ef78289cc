import { describe, expect, it } from 'vitest'
import { fill } from './levels'

describe('the level meter', () => {
  it.each([
    [-90, 0],
    [-60, 0],
    [-30, 0.5],
    [0, 1],
    [3, 1],
  ])('%s dBm0 fills %s', (dbm0, share) => {
    expect(fill(dbm0)).toBe(share)
  })
})
