// What can be set on a channel: kind of value, unit, and where the installer looks for it. Ranges are checked by the box.
import type { ChannelSettingsPatch } from '@/api'
import { START_MODES, STOP_MODES } from '@/enumerations'

export type SettingName = keyof ChannelSettingsPatch

type Kind = 'number' | 'text' | 'choice' | 'switch' | 'stop_modes' | 'numbers' | 'spans'

export interface Field {
  name: SettingName
  kind: Kind
  unit?: 'V' | 's' | 'ms' | 'dBm0'
  step?: number
  options?: readonly string[]
  /** Key below which the options have their words; without it they stand as they are. */
  words?: string
  /** May be taken back to "by the box". */
  nullable?: boolean
}

/** Stop modes that can be chosen; shutdown and power loss always stop. */
const CHOSEN_STOP_MODES = STOP_MODES.filter((mode) => mode !== 'shutdown' && mode !== 'power_loss')
/** Countries with a tone table in the box. */
export const COUNTRIES = [
  'cn',
  'hk',
  'tw',
  'sg',
  'jp',
  'au',
  'ca',
  'ch',
  'de',
  'es',
  'fr',
  'gb',
  'it',
  'nl',
  'ru',
  'se',
  'us',
] as const

export const GROUPS: readonly { name: string; fields: readonly Field[] }[] = [
  {
    name: 'line',
    fields: [
      { name: 'name', kind: 'text' },
      { name: 'line_number', kind: 'text', nullable: true },
      { name: 'use', kind: 'choice', options: ['recorded', 'disabled', 'unused'], words: 'use' },
      { name: 'country', kind: 'choice', options: COUNTRIES, words: 'country' },
    ],
  },
  {
    name: 'recording',
    fields: [
      { name: 'start_mode', kind: 'choice', options: START_MODES, words: 'start_mode' },
      {
        name: 'stop_modes',
        kind: 'stop_modes',
        options: CHOSEN_STOP_MODES,
        words: 'stop_mode',
        nullable: true,
      },
      { name: 'pre_roll_s', kind: 'number', unit: 's', step: 0.5 },
      { name: 'silence_stop_s', kind: 'number', unit: 's', step: 0.5 },
      { name: 'max_length_s', kind: 'number', unit: 's', step: 60 },
      { name: 'key_start', kind: 'text' },
      { name: 'key_stop', kind: 'text' },
      {
        name: 'signalling_start',
        kind: 'choice',
        options: ['setup', 'alerting', 'connect'],
        words: 'signalling_start',
      },
      { name: 'schedule', kind: 'spans' },
    ],
  },
  {
    name: 'voltage',
    fields: [
      { name: 'off_hook_below_volts', kind: 'number', unit: 'V', step: 0.5 },
      { name: 'on_hook_above_volts', kind: 'number', unit: 'V', step: 0.5, nullable: true },
      { name: 'line_lost_below_volts', kind: 'number', unit: 'V', step: 0.5 },
      { name: 'line_lost_after_s', kind: 'number', unit: 's', step: 0.5 },
      { name: 'hook_debounce_ms', kind: 'number', unit: 'ms', step: 10 },
      { name: 'flash_max_ms', kind: 'number', unit: 'ms', step: 50 },
      { name: 'ring_above_volts', kind: 'number', unit: 'V', step: 1 },
    ],
  },
  {
    name: 'voice',
    fields: [{ name: 'voice_above_dbm0', kind: 'number', unit: 'dBm0', step: 1 }],
  },
  {
    name: 'calls',
    fields: [
      { name: 'record_missed_calls', kind: 'switch' },
      { name: 'do_not_record', kind: 'numbers' },
      { name: 'do_not_record_times', kind: 'spans' },
    ],
  },
  {
    name: 'alarms',
    fields: [
      { name: 'off_hook_alarm_after_s', kind: 'number', unit: 's', step: 60 },
      { name: 'no_call_alarm_after_s', kind: 'number', unit: 's', step: 3600 },
    ],
  },
]

/** Columns of the table; the rest is in the drawer. */
export const CELLS: readonly Field[] = (
  [
    'name',
    'line_number',
    'use',
    'start_mode',
    'line_lost_below_volts',
    'off_hook_below_volts',
    'on_hook_above_volts',
    'voice_above_dbm0',
  ] as const
).flatMap((name) => GROUPS.flatMap(({ fields }) => fields.filter((field) => field.name === name)))
