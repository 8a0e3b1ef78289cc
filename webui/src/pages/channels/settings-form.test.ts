import { describe, expect, it } from 'vitest'
import { GROUPS, type Field, type SettingName } from './fields'
import { useSettingsForm } from './settings-form'

const field = (name: SettingName): Field => {
  const found = GROUPS.flatMap(({ fields }) => fields).find((one) => one.name === name)
  if (!found) throw new Error(name)
  return found
}

describe('settings of channels that are not at hand', () => {
  it('holds only what was filled in', () => {
    const form = useSettingsForm(() => [])
    expect(form.dirty).toBe(false)
    form.type(field('pre_roll_s'), '4,5')
    form.choose(field('record_missed_calls'), 'false')
    form.choose(field('start_mode'), 'voice')
    form.typeNumbers(field('do_not_record'), '110 119*')
    expect(form.changed).toEqual({
      pre_roll_s: 4.5,
      record_missed_calls: false,
      start_mode: 'voice',
      do_not_record: ['110', '119*'],
    })
    expect(form.dirty).toBe(true)
  })

  it('forgets what was emptied again', () => {
    const form = useSettingsForm(() => [])
    form.type(field('line_number'), '8001')
    form.type(field('line_number'), '')
    form.choose(field('start_mode'), 'voice')
    form.choose(field('start_mode'), '')
    expect(form.changed).toEqual({})
  })

  it('is not ready while something is no number', () => {
    const form = useSettingsForm(() => [])
    form.type(field('pre_roll_s'), 'four')
    expect([form.dirty, form.wrong.has('pre_roll_s')]).toEqual([false, true])
    form.type(field('pre_roll_s'), '4')
    expect([form.dirty, form.wrong.size]).toEqual([true, 0])
  })
})
