import { describe, expect, it } from 'vitest'
import type { BoxSettings } from '@/api'
import { changes, formOf, newRule, wrongFields } from './form'

const box: BoxSettings = {
  name: 'Hookline',
  time_zone: null,
  codec: 'g711_alaw',
  disk_nearly_full_percent: 5,
  cpu_high_percent: 90,
  memory_high_percent: 90,
  temperature_high_celsius: 85,
  high_for_s: 300,
  grade_rules: [{ numbers: ['110*'], ports: [3], grade: 'permanent', least_length_s: 10 }],
}

describe('the form of the box settings', () => {
  it('asks nothing when nothing was changed, whatever the order of members', () => {
    expect(changes(formOf(box), box)).toBeNull()
    expect(wrongFields(formOf(box))).toEqual([])
  })

  it('sends only what is different, and all rules together', () => {
    const form = formOf(box)
    form.name = ' Duty room '
    form.disk_nearly_full_percent = '7,5'
    expect(changes(form, box)).toEqual({ name: 'Duty room', disk_nearly_full_percent: 7.5 })
    const ruled = formOf(box)
    ruled.grade_rules.push({ ...newRule(), numbers: ' 110*，120\n119, ', least_length_s: '60' })
    expect(changes(ruled, box)).toEqual({
      grade_rules: [
        box.grade_rules[0],
        { grade: 'important', ports: [], numbers: ['110*', '120', '119'], least_length_s: 60 },
      ],
    })
  })

  it('sees a zone, and the way back to that of the system', () => {
    const zoned = { ...box, time_zone: 'Asia/Shanghai' }
    expect(changes({ ...formOf(zoned), time_zone: '' }, zoned)).toEqual({ time_zone: null })
  })

  it('sees rules that changed places', () => {
    const second = { grade: 'normal' as const, ports: [], numbers: [], least_length_s: 0 }
    const two = { ...box, grade_rules: [...box.grade_rules, second] }
    const form = formOf(two)
    form.grade_rules.reverse()
    expect(changes(form, two)?.grade_rules?.map(({ grade }) => grade)).toEqual(['normal', 'permanent'])
  })

  it('names what the box would refuse as the box names it', () => {
    const form = formOf(box)
    form.name = ' '
    form.disk_nearly_full_percent = '91'
    form.cpu_high_percent = '9'
    form.high_for_s = '1.5'
    form.grade_rules.push({ ...newRule(), numbers: '110*，12a', least_length_s: '' })
    expect(wrongFields(form)).toEqual([
      'name',
      'disk_nearly_full_percent',
      'cpu_high_percent',
      'high_for_s',
      'grade_rules[1].numbers',
      'grade_rules[1].least_length_s',
    ])
    form.name = 'x'.repeat(65)
    form.disk_nearly_full_percent = 'five'
    expect(wrongFields(form)).toContain('disk_nearly_full_percent')
    expect(wrongFields(form)).toContain('name')
  })
})
