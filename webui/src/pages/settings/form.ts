// Settings of the box between the interface and the form: numbers are texts while they are typed.
import type { BoxSettings, BoxSettingsPatch, Codec, Grade } from '@/api'
import { numbersOf, numbersText } from '@/numbers'

export interface RuleForm {
  /** Keeps a rule's fields together while rules move. */
  key: number
  grade: Grade
  ports: number[]
  /** As typed. */
  numbers: string
  least_length_s: string
}

/** Settings that are one number, and what the box takes. */
const NUMBERS = {
  disk_nearly_full_percent: [0, 90],
  cpu_high_percent: [10, 100],
  memory_high_percent: [10, 100],
  temperature_high_celsius: [30, 150],
  high_for_s: [0, 86_400],
} as const
type NumberSetting = keyof typeof NUMBERS
const NUMBER_NAMES = Object.keys(NUMBERS) as NumberSetting[]

export interface BoxForm extends Record<NumberSetting, string> {
  name: string
  /** Empty: the system's. */
  time_zone: string
  codec: Codec
  grade_rules: RuleForm[]
}

let lastKey = 0
export const newRule = (): RuleForm => ({
  key: (lastKey += 1),
  grade: 'important',
  ports: [],
  numbers: '',
  least_length_s: '0',
})

const numbers = <T>(of: (name: NumberSetting) => T) =>
  Object.fromEntries(NUMBER_NAMES.map((name) => [name, of(name)])) as Record<NumberSetting, T>

export function formOf(settings: BoxSettings): BoxForm {
  return {
    name: settings.name,
    time_zone: settings.time_zone ?? '',
    codec: settings.codec,
    ...numbers((name) => String(settings[name])),
    grade_rules: settings.grade_rules.map((rule) => ({
      ...newRule(),
      grade: rule.grade,
      ports: [...rule.ports],
      numbers: numbersText(rule.numbers),
      least_length_s: String(rule.least_length_s),
    })),
  }
}

const numberOf = (typed: string): number =>
  typed.trim() === '' ? NaN : Number(typed.trim().replace(',', '.'))
const within = (value: number, least: number, most: number) => value >= least && value <= most

/** Numbers that a rule knows: digits, + and #, and a * for any more. */
const PATTERN = /^[0-9+*#]{1,32}$/

/** Fields that the box would refuse, by the names it gives them (`grade_rules[1].numbers`). */
export function wrongFields(form: BoxForm): string[] {
  const wrong: string[] = []
  const name = form.name.trim()
  if (name === '' || [...name].length > 64) wrong.push('name')
  for (const name of NUMBER_NAMES) {
    const value = numberOf(form[name])
    const [least, most] = NUMBERS[name]
    const whole = name !== 'high_for_s' || Number.isInteger(value)
    if (!whole || !within(value, least, most)) wrong.push(name)
  }
  form.grade_rules.forEach((rule, index) => {
    if (!numbersOf(rule.numbers).every((number) => PATTERN.test(number)))
      wrong.push(`grade_rules[${index}].numbers`)
    if (!within(numberOf(rule.least_length_s), 0, 86_400)) wrong.push(`grade_rules[${index}].least_length_s`)
  })
  return wrong
}

/** What the form says differently from the box; `null` when nothing. */
export function changes(form: BoxForm, settings: BoxSettings): BoxSettingsPatch | null {
  const wanted: BoxSettings = {
    name: form.name.trim(),
    time_zone: form.time_zone || null,
    codec: form.codec,
    ...numbers((name) => numberOf(form[name])),
    grade_rules: form.grade_rules.map(({ grade, ports, numbers, least_length_s }) => ({
      grade,
      ports: [...ports],
      numbers: numbersOf(numbers),
      least_length_s: numberOf(least_length_s),
    })),
  }
  const names = (Object.keys(wanted) as (keyof BoxSettings)[]).filter(
    (name) => !same(wanted[name], settings[name]),
  )
  return names.length === 0
    ? null
    : (Object.fromEntries(names.map((name) => [name, wanted[name]])) as BoxSettingsPatch)
}

/** By value; the order of members does not matter, that of lists does. */
function same(a: unknown, b: unknown): boolean {
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return a === b
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>]
  const names = Object.keys(left)
  return names.length === Object.keys(right).length && names.every((name) => same(left[name], right[name]))
}
