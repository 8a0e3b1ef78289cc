import { describe, expect, it } from 'vitest'
import { answers, change, fieldInForm, formOf, offset, span, typedInto } from './form'

const now = { on: true, servers: ['ntp.test', '192.0.2.1'] }

describe('the settings of the clock in their form', () => {
  it('say nothing while nothing is different', () => {
    const form = formOf(now)
    expect(form.servers).toEqual(['ntp.test', '192.0.2.1', ''])
    expect(change(form, now)).toBeNull()
    expect(change({ ...form, servers: [' ntp.test ', '', '192.0.2.1'] }, now)).toBeNull()
  })
  it('say what is different and no more', () => {
    expect(change({ on: false, servers: ['ntp.test', '192.0.2.1'] }, now)).toEqual({ on: false })
    expect(change({ on: true, servers: ['192.0.2.1', 'ntp.test'] }, now)).toEqual({
      servers: ['192.0.2.1', 'ntp.test'],
    })
  })
  it('have an empty line below, up to eight', () => {
    expect(typedInto(['a', ''], 1, 'b')).toEqual(['a', 'b', ''])
    expect(typedInto(['a', ''], 0, 'c')).toEqual(['c', ''])
    const seven = ['1', '2', '3', '4', '5', '6', '7', '']
    expect(typedInto(seven, 7, '8')).toHaveLength(8)
    expect(formOf({ on: true, servers: typedInto(seven, 7, '8') }).servers).toHaveLength(8)
  })
  it('show what the box refused in the line where it stands', () => {
    const form = { on: true, servers: ['', 'a', '', 'b b', ''] }
    expect(fieldInForm('servers[0]', form)).toBe('servers[1]')
    expect(fieldInForm('servers[1]', form)).toBe('servers[3]')
    expect(fieldInForm('servers', form)).toBe('servers')
  })
})

describe('times as a person reads them', () => {
  it.each([
    [0, '0.00 ms'],
    [0.000_42, '0.42 ms'],
    [-0.038, '38 ms'],
    [12.54, '12.5 s'],
    [3723, '1:02:03'],
    [31_536_000, '365 d'],
  ])('%d s is %s', (seconds, text) => {
    expect(span(seconds)).toBe(text)
  })
  it('have their sign, and none when they are not known', () => {
    expect([offset(0.038), offset(-31_536_000), offset(null)]).toEqual(['+38 ms', '−365 d', '–'])
  })
  it('show the oldest question first', () => {
    expect(answers(0b0000_0101)).toEqual([false, false, false, false, false, true, false, true])
  })
})
