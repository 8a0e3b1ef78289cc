// Values of settings between channels and fields: three of them belong to the port, the rest to its settings.
import type { Channel } from '@/api'
import type { Field, SettingName } from './fields'

export function valueOf(channel: Channel, name: SettingName): unknown {
  if (name === 'name' || name === 'line_number' || name === 'use') return channel[name]
  return channel.settings[name]
}

/** What a `null` comes to now, where the box says so. */
export function effectiveOf(channel: Channel, name: SettingName): unknown {
  if (name === 'on_hook_above_volts' || name === 'stop_modes') return channel.effective[name]
  return valueOf(channel, name)
}

/** What was typed as the field's value; `undefined` when it is none. */
export function parse(field: Field, typed: string): unknown {
  const text = typed.trim()
  if (text === '' && field.nullable) return null
  if (field.kind !== 'number') return text
  const value = Number(text.replace(',', '.').replace('−', '-'))
  return text !== '' && Number.isFinite(value) ? value : undefined
}

/** The value that all these channels share; `undefined` when they differ. */
export function sharedValue(channels: readonly Channel[], name: SettingName): unknown {
  const [first, ...rest] = channels.map((channel) => JSON.stringify(valueOf(channel, name)))
  return first !== undefined && rest.every((value) => value === first) ? JSON.parse(first) : undefined
}
