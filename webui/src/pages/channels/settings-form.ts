// What is being changed in the settings of one channel, of many, or of channels that are not at hand: only what was
// changed is written.
import { computed, reactive, ref } from 'vue'
import type { Channel } from '@/api'
import { numbersOf, numbersText } from '@/numbers'
import type { Field } from './fields'
import { effectiveOf, parse, sharedValue } from './values'

const listOf = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : [])

/** `channels` are those that are changed; none where they are another box's. */
export function useSettingsForm(channels: () => readonly Channel[]) {
  const changed = reactive<Record<string, unknown>>({})
  const wrong = reactive(new Set<string>())
  const dirty = computed(() => Object.keys(changed).length > 0 && wrong.size === 0)
  /** Numbers as they are being typed: what was read of them would take away the space just typed. */
  const typedNumbers = ref<string | null>(null)

  const valueNow = (field: Field) =>
    field.name in changed ? changed[field.name] : sharedValue(channels(), field.name)

  function textNow(field: Field): string {
    const value = valueNow(field)
    return value === undefined || value === null ? '' : String(value)
  }

  /** What an empty field comes to, where the box says so. */
  function hint(field: Field): string | undefined {
    const [one, ...others] = channels()
    if (!one || others.length > 0 || valueNow(field) !== null) return undefined
    return String(effectiveOf(one, field.name))
  }

  /** `undefined` takes a change back. */
  function set(field: Field, value: unknown): void {
    wrong.delete(field.name)
    const same = JSON.stringify(value) === JSON.stringify(sharedValue(channels(), field.name))
    if (same) Reflect.deleteProperty(changed, field.name)
    else changed[field.name] = value
  }

  function type(field: Field, typed: string): void {
    const value = parse(field, typed)
    // Without a channel at hand nobody knows what would be emptied: an empty field changes nothing.
    if (typed.trim() === '' && channels().length === 0) set(field, undefined)
    else if (value === undefined) {
      changed[field.name] = typed
      wrong.add(field.name)
    } else set(field, value)
  }

  /** One of a list, or of yes and no; empty is what was there. */
  function choose(field: Field, value: string): void {
    set(field, value === '' ? undefined : field.kind === 'switch' ? value === 'true' : value)
  }
  const isOpen = (field: Field) => sharedValue(channels(), field.name) === undefined

  function typeNumbers(field: Field, typed: string): void {
    typedNumbers.value = typed
    set(field, numbersOf(typed))
  }

  const numbersNow = (field: Field) => typedNumbers.value ?? numbersText(listOf(valueNow(field)))

  const listNow = (field: Field) => listOf(valueNow(field))
  return reactive({
    changed,
    wrong,
    dirty,
    isOpen,
    valueNow,
    listNow,
    textNow,
    numbersNow,
    hint,
    set,
    choose,
    type,
    typeNumbers,
  })
}

export type SettingsForm = ReturnType<typeof useSettingsForm>
