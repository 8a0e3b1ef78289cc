// E-mail settings between the interface and the form: numbers are texts while they are typed, five addresses always have
// a field, and a secret that is not typed stays as it is.
import type { Language, MailNow, MailSecurity, MailSettings, MailSettingsPatch } from '@/api'

export const MOST_RECIPIENTS = 5
const MOST_COLLECT_S = 3600

/** What servers usually listen on. */
export const USUAL_PORT: Record<MailSecurity, number> = { tls: 465, starttls: 587, none: 25 }

export interface MailForm {
  switched_on: boolean
  server: string
  port: string
  security: MailSecurity
  ca_certificate: string
  account: string
  /** Empty: as it is. */
  secret: string
  /** The box shall forget the one that it has. */
  secret_off: boolean
  sender: string
  recipients: string[]
  language: Language
  alarms: string[]
  cleared: boolean
  collect_s: string
  summary: boolean
  summary_at: string
}

export function formOf(settings: MailSettings): MailForm {
  const recipients = Array.from({ length: MOST_RECIPIENTS }, (_, index) => settings.recipients[index] ?? '')
  return {
    ...settings,
    port: String(settings.port),
    ca_certificate: settings.ca_certificate ?? '',
    account: settings.account ?? '',
    secret: '',
    secret_off: false,
    recipients,
    alarms: [...settings.alarms],
    collect_s: String(settings.collect_s),
  }
}

/** The port moves with the kind of connection as long as it is a usual one. */
export function portFor(security: MailSecurity, port: string): string {
  const usual = Object.values(USUAL_PORT).map(String).includes(port.trim())
  return usual || port.trim() === '' ? String(USUAL_PORT[security]) : port
}

const wholeOf = (typed: string): number => (/^\d{1,6}$/.test(typed.trim()) ? Number(typed.trim()) : NaN)
const isAddress = (text: string): boolean => /^[!-?A-~]+@[!-?A-~]+$/.test(text)
const typedAddresses = (form: MailForm): string[] => form.recipients.map((one) => one.trim())

/** Whether the secret would go somewhere else than before: then it has to be typed again. */
export function leadsElsewhere(form: MailForm, settings: MailSettings): boolean {
  return (
    form.server.trim() !== settings.server ||
    wholeOf(form.port) !== settings.port ||
    (form.ca_certificate.trim() || null) !== (settings.ca_certificate?.trim() ?? null) ||
    (form.security !== settings.security && form.security === 'none')
  )
}

/** Fields that the box would refuse, by its names; addresses by their place in the form. */
export function wrongFields(form: MailForm, now: MailNow): string[] {
  const wrong: string[] = []
  const addresses = typedAddresses(form)
  const missing = (text: string) => form.switched_on && text.trim() === ''
  if (missing(form.server) || !/^[\w.:-]*$/.test(form.server.trim())) wrong.push('server')
  const port = wholeOf(form.port)
  if (!(port >= 1 && port <= 65_535)) wrong.push('port')
  if (missing(form.sender) || (form.sender.trim() !== '' && !isAddress(form.sender.trim())))
    wrong.push('sender')
  const secretGiven = form.secret !== '' || form.secret_off
  if (now.secret_set && !secretGiven && leadsElsewhere(form, now.settings)) wrong.push('secret')
  addresses.forEach((address, index) => {
    const twice = addresses.slice(0, index).some((one) => one.toLowerCase() === address.toLowerCase())
    if (address !== '' && (!isAddress(address) || twice)) wrong.push(`recipients[${index}]`)
  })
  if (form.switched_on && addresses.every((one) => one === '')) wrong.push('recipients[0]')
  const collect = wholeOf(form.collect_s)
  if (!(collect >= 0 && collect <= MOST_COLLECT_S)) wrong.push('collect_s')
  if (!/^([01]\d|2[0-3]):[0-5]\d$/.test(form.summary_at.trim())) wrong.push('summary_at')
  return wrong
}

/** Where an address that the box names by its place among all stands in the form. */
export function fieldInForm(field: string, form: MailForm): string {
  const place = /^recipients\[(\d+)\]$/.exec(field)
  if (!place) return field === 'recipients' ? 'recipients[0]' : field
  const filled = typedAddresses(form).flatMap((one, index) => (one === '' ? [] : [index]))
  return `recipients[${filled[Number(place[1])] ?? 0}]`
}

/** What the form says differently from the box; `null` when nothing. */
export function changes(form: MailForm, settings: MailSettings): MailSettingsPatch | null {
  const wanted: MailSettings = {
    switched_on: form.switched_on,
    server: form.server.trim(),
    port: wholeOf(form.port),
    security: form.security,
    // As it was, if only its ends differ: a certificate that nobody touched is no change.
    ca_certificate:
      form.ca_certificate.trim() === settings.ca_certificate?.trim()
        ? settings.ca_certificate
        : form.ca_certificate.trim() || null,
    account: form.account.trim() || null,
    sender: form.sender.trim(),
    recipients: typedAddresses(form).filter((one) => one !== ''),
    language: form.language,
    alarms: form.alarms,
    cleared: form.cleared,
    collect_s: wholeOf(form.collect_s),
    summary: form.summary,
    summary_at: form.summary_at.trim(),
  }
  const names = (Object.keys(wanted) as (keyof MailSettings)[]).filter(
    (name) => !same(wanted[name], settings[name], name === 'alarms'),
  )
  const patch = Object.fromEntries(names.map((name) => [name, wanted[name]])) as MailSettingsPatch
  if (form.secret_off) patch.secret = null
  else if (form.secret !== '') patch.secret = form.secret
  return Object.keys(patch).length === 0 ? null : patch
}

function same(a: unknown, b: unknown, anyOrder: boolean): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b || (Number.isNaN(a) && Number.isNaN(b))
  const [left, right] = anyOrder ? [[...a].sort(), [...b].sort()] : [a, b]
  return left.length === right.length && left.every((one, index) => one === right[index])
}
