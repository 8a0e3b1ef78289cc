import { describe, expect, it } from 'vitest'
import type { Contact } from '@/api'
import { changeOf, formOf, portFits } from './form'

const contact: Contact = {
  number: '8001',
  name: 'Zhang',
  department: 'East',
  extension: '',
  outside_number: '13818886666',
  position: 'Inspector',
  email: '',
  station: 'HKLN-1',
  station_name: 'City',
  port: 3,
  note: '',
}

describe('the form of a contact', () => {
  it('tells the box what differs, and nothing else', () => {
    expect(changeOf(contact, formOf(contact), false)).toEqual({})
    const form = { ...formOf(contact), name: ' Zhang Wei ', position: '' }
    expect(changeOf(contact, form, false)).toEqual({ name: 'Zhang Wei', position: '' })
    expect(changeOf(null, { ...formOf(null), name: 'A' }, true)).toEqual({ name: 'A' })
  })

  it('names station and port together, or takes both away', () => {
    expect(changeOf(contact, { ...formOf(contact), port: '4' }, false)).toEqual({
      port: 4,
      station: 'HKLN-1',
    })
    expect(changeOf(contact, { ...formOf(contact), port: '', station: '' }, false)).toEqual({
      port: null,
      station: null,
    })
    expect(changeOf(contact, { ...formOf(contact), port: '4' }, true)).toEqual({ port: 4 })
    const unseen = { ...contact, station: null, port: null }
    expect(changeOf(unseen, { ...formOf(unseen), note: 'x' }, false)).toEqual({ note: 'x' })
  })

  it('wants station and port together', () => {
    const fits = (station: string, port: string, own = false) =>
      portFits({ ...formOf(null), station, port }, own)
    expect([fits('', ''), fits('S', '3'), fits('', '3', true), fits('S', '65535')]).toEqual(
      Array(4).fill(true),
    )
    expect([fits('S', ''), fits('', '3'), fits('S', '0'), fits('S', '65536'), fits('S', 'x')]).toEqual(
      Array(5).fill(false),
    )
  })
})
