// Codes of the audit trail in the reader's language. A code of a newer release is shown as it is.
import { i18n } from '@/i18n'

const known = (key: string, otherwise: string) => (i18n.global.te(key) ? i18n.global.t(key) : otherwise)

export const itemText = (item: string) => known(`audit_item.${item}`, item)
export const operationText = (operation: string) => known(`audit_operation.${operation}`, operation)

/** Names whose values are words of the interface, and the key below which these have theirs. */
const WORDS: Record<string, string> = {
  codec: 'codec',
  grade: 'grade',
  use: 'use',
  country: 'country',
  start_mode: 'start_mode',
  stop_modes: 'stop_mode',
  rights: 'right',
  what: 'command_what',
  security: 'mail_security',
  outcome: 'network_outcome',
  fault: 'network_fault',
  method: 'network_method',
}

function valueText(value: unknown, item: string, name = ''): string {
  if (value === null) return '–'
  if (Array.isArray(value) && value.length === 0) return '–'
  if (Array.isArray(value)) return value.map((one) => valueText(one, item, name)).join(' ')
  if (typeof value === 'object') {
    return Object.entries(value)
      .map(([inside, inner]) => `${nameText(inside, item)} ${valueText(inner, item, inside)}`)
      .join('; ')
  }
  if (typeof value === 'boolean') return known(`yes_no.${value}`, String(value))
  const words = WORDS[name]
  return words ? known(`${words}.${String(value)}`, String(value)) : String(value)
}

/** E-mail and fetching from stations have settings of their own with names that others have too. */
function nameText(name: string, item: string): string {
  const general = known(`setting.${name}`, known(`field.${name}`, name))
  if (item === 'mail') return known(`mail.${name}`, general)
  if (item === 'network') return known(`network.${name}`, general)
  return item === 'device' ? known(`pull_setting.${name}`, general) : general
}

/** `端口 3; 摘机门限 21`: what the action was done with. */
export function parameterText(parameters: Record<string, unknown>, item = ''): string {
  return valueText(parameters, item)
}
