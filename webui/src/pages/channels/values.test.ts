import { describe, expect, it } from 'vitest'
import type { Channel } from '@/api'
import { CELLS, GROUPS, type Field } from './fields'
import { parse, sharedValue, valueOf } from './values'

const field = (name: string): Field => {
  const found = GROUPS.flatMap(({ fields }) => fields).find((one) => one.name === name)
  if (!found) throw new Error(name)
  return found
}

const channel = (name: string, volts: number) =>
  ({ port: 1, name, line_number: null, settings: { off_hook_below_volts: volts } }) as Channel

describe('channel settings', () => {
  it('reads numbers as people type them', () => {
    expect(parse(field('off_hook_below_volts'), ' 21,5 ')).toBe(21.5)
    expect(parse(field('voice_above_dbm0'), '−38')).toBe(-38)
    expect(parse(field('off_hook_below_volts'), 'x')).toBeUndefined()
    expect(parse(field('off_hook_below_volts'), '')).toBeUndefined()
  })

  it('takes an empty field back to the box where that is possible', () => {
    expect(parse(field('on_hook_above_volts'), '')).toBeNull()
    expect(parse(field('name'), '')).toBe('')
  })

  it('finds values on the port and in its settings', () => {
    expect(valueOf(channel('desk', 16), 'name')).toBe('desk')
    expect(valueOf(channel('desk', 16), 'off_hook_below_volts')).toBe(16)
  })

  it('shows a value of many only when they share it', () => {
    expect(sharedValue([channel('a', 16), channel('b', 16)], 'off_hook_below_volts')).toBe(16)
    expect(sharedValue([channel('a', 16), channel('b', 21)], 'off_hook_below_volts')).toBeUndefined()
    expect(sharedValue([channel('a', 16), channel('b', 16)], 'line_number')).toBeNull()
  })

  it('lists every setting once', () => {
    const names = GROUPS.flatMap(({ fields }) => fields.map(({ name }) => name))
    expect(new Set(names).size).toBe(names.length)
    expect(CELLS).toHaveLength(8)
  })
})
