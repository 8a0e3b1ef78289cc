import { describe, expect, it } from 'vitest'
import type { Unit, UnitSettings } from '@/api'
import { overlapping, portsText, proposed, rowsOf, unusedOf } from './list'

const tap = (name: string, serial: string, first_port: number, lines: number): UnitSettings => ({
  name,
  place: { kind: 'line_tap', serial },
  first_port,
  lines,
  two_track: false,
})
const found = {
  line_taps: [
    { model: 'Tap 16', serial: 'A1', firmware: '1.0', lines: 16, has_volts: true },
    { model: 'Tap 8', serial: 'B2', firmware: '1.0', lines: 8, has_volts: true },
  ],
  pcm_devices: [{ device: 'hw:CARD=X,DEV=0', name: 'X', in_use: true, channels: null, rates_hz: [] }],
  troubles: [],
}

describe('capture units', () => {
  it('are shown with how they are, as far as the recorder works with them', () => {
    const set = [tap('a', 'A1', 1, 16), tap('b', 'B2', 17, 8)]
    const running = { ...set[0], state: 'present' } as Unit
    expect(rowsOf(set, [running]).map((row) => row.now?.state)).toEqual(['present', undefined])
  })

  it('that are plugged in and not set are offered, each once', () => {
    expect(unusedOf(found, [tap('a', 'A1', 1, 16)]).map((one) => [one.name, one.lines, one.in_use])).toEqual([
      ['Tap 8', 8, false],
      ['X', 0, true],
    ])
  })

  it('are proposed behind the ports that are taken, under a free name', () => {
    const unused = unusedOf(found, [])
    const set = [tap('tap-1', 'Z', 1, 16)]
    expect(proposed(unused[1] ?? null, set)).toEqual(tap('tap-2', 'B2', 17, 8))
    expect(proposed(unused[2] ?? null, set)).toMatchObject({ name: 'card-1', first_port: 17, lines: 1 })
    expect(proposed(null, [])).toMatchObject({ first_port: 1, place: { kind: 'pcm', device: '' } })
  })

  it('may not share a port', () => {
    const set = [tap('a', 'A1', 1, 16)]
    expect(overlapping(tap('b', 'B2', 16, 8), set)?.name).toBe('a')
    expect(overlapping(tap('b', 'B2', 17, 8), set)).toBeUndefined()
  })

  it('say their ports', () => {
    expect([portsText(tap('a', 'A', 5, 1)), portsText(tap('a', 'A', 1, 16))]).toEqual(['5', '1–16'])
  })
})
