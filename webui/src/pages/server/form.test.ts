import { describe, expect, it } from 'vitest'
import type { PlatformSettings } from '@/api'
import { changes, formOf, wrongFields } from './form'

const settings: PlatformSettings = {
  name: 'City',
  time_zone: null,
  disk_nearly_full_percent: 10,
  cpu_high_percent: 90,
  memory_high_percent: 90,
  temperature_high_celsius: 80,
  high_for_s: 300,
  disk_reserve_bytes: 2_500_000_000,
  station_offline_after_min: 5,
  nothing_received_after_min: 1440,
}

describe('the form of the platform settings', () => {
  it('changes nothing by itself', () => {
    expect(changes(formOf(settings), settings)).toBeNull()
    expect(wrongFields(formOf(settings))).toEqual([])
  })

  it('shows the reserve in GB and keeps it in bytes', () => {
    expect(formOf(settings).disk_reserve_bytes).toBe('2.5')
    expect(changes({ ...formOf(settings), disk_reserve_bytes: '4,25' }, settings)).toEqual({
      disk_reserve_bytes: 4_250_000_000,
    })
  })

  it('leaves the reserve to the platform when it is empty', () => {
    const own = { ...settings, disk_reserve_bytes: null }
    expect(formOf(own).disk_reserve_bytes).toBe('')
    expect(changes(formOf(own), own)).toBeNull()
    expect(changes({ ...formOf(settings), disk_reserve_bytes: ' ' }, settings)).toEqual({
      disk_reserve_bytes: null,
    })
    expect(wrongFields(formOf(own))).toEqual([])
  })

  it('knows what the platform would refuse', () => {
    const form = { ...formOf(settings), name: ' ', station_offline_after_min: '1.5', high_for_s: '' }
    expect(wrongFields(form)).toEqual(['name', 'station_offline_after_min', 'high_for_s'])
  })
})
