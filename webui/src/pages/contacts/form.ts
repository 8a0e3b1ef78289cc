// The form of a contact, and what of it the box is told.
import type { Contact, Schemas } from '@/api'

/** As typed: a port is digits, empty is none. */
export interface ContactForm {
  number: string
  name: string
  extension: string
  outside_number: string
  position: string
  email: string
  department: string
  station: string
  port: string
  note: string
}

const TEXTS = ['name', 'extension', 'outside_number', 'position', 'email', 'department', 'note'] as const

export function formOf(contact: Contact | null): ContactForm {
  return {
    number: contact?.number ?? '',
    name: contact?.name ?? '',
    extension: contact?.extension ?? '',
    outside_number: contact?.outside_number ?? '',
    position: contact?.position ?? '',
    email: contact?.email ?? '',
    department: contact?.department ?? '',
    station: contact?.station ?? '',
    port: contact?.port?.toString() ?? '',
    note: contact?.note ?? '',
  }
}

const PORT = /^[1-9]\d{0,4}$/

/** Whether station and port belong together: both, or neither; a station's own pages name the port alone. */
export function portFits({ station, port }: ContactForm, ownStation: boolean): boolean {
  if (port === '') return ownStation || station === ''
  return PORT.test(port) && Number(port) <= 65_535 && (ownStation || station !== '')
}

/** What differs from before; a port that is not touched is not named, since it may be one that is not shown. */
export function changeOf(
  before: Contact | null,
  form: ContactForm,
  ownStation: boolean,
): Schemas['ContactPatch'] {
  const was = formOf(before)
  const change: Schemas['ContactPatch'] = {}
  for (const name of TEXTS) {
    const typed = name === 'note' ? form[name] : form[name].trim()
    if (typed !== was[name]) change[name] = typed
  }
  if (form.port !== was.port || (!ownStation && form.station !== was.station)) {
    change.port = form.port === '' ? null : Number(form.port)
    if (!ownStation) change.station = form.port === '' ? null : form.station
  }
  return change
}
