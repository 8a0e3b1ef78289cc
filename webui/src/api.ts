// The box's HTTP interface, typed from openapi.json. Everything that leaves the browser goes through here.
import type { components, operations } from './api-types'
import { boxAnswers, boxIsSilent } from './stores/connection'
import { sendFile, type Sending } from './upload'

export type Schemas = components['schemas']
export type Account = Schemas['Account']
export type Alarm = Schemas['Alarm']
export type AlarmCategory = Schemas['AlarmCategory']
export type AlarmCounts = Schemas['AlarmCounts']
export type AuditEntry = Schemas['AuditEntry']
export type AuditResult = Schemas['AuditResult']
export type Box = Schemas['Box']
export type BoxSettings = Schemas['BoxSettings']
export type BoxSettingsNow = Schemas['BoxSettingsNow']
export type BoxSettingsPatch = Schemas['BoxSettingsPatch']
export type Calibration = Schemas['Calibration']
export type CallType = Schemas['CallType']
export type Channel = Schemas['Channel']
export type Unit = Schemas['Unit']
export type UnitList = Schemas['UnitList']
export type UnitPlace = Schemas['UnitPlace']
export type UnitSettings = Schemas['UnitSettings']
export type UnitsFound = Schemas['UnitsFound']
export type ChannelSettings = Schemas['ChannelSettings']
export type ChannelSettingsPatch = Schemas['ChannelSettingsPatch']
export type ClockNow = Schemas['ClockNow']
export type ClockServer = Schemas['ClockServer']
export type ClockServerState = Schemas['ClockServerState']
export type ClockSettings = Schemas['ClockSettings']
export type ClockSettingsPatch = Schemas['ClockSettingsChange']['settings']
export type ClockState = Schemas['ClockState']
export type Codec = Schemas['Codec']
export type Command = Schemas['Command']
export type CommandState = Schemas['CommandState']
export type CommandWhat = Schemas['CommandWhat']
export type Contact = Schemas['Contact']
export type ContactImportReport = Schemas['ContactImportReport']
export type Department = Schemas['Department']
export type Device = Schemas['Device']
export type DevicePort = Schemas['DevicePort']
export type DevicePull = Schemas['DevicePull']
export type DevicePullPatch = Schemas['DevicePullPatch']
export type Disk = Schemas['Disk']
export type Found = Schemas['Found']
export type Grade = Schemas['Grade']
export type Home = Schemas['Home']
export type ImportReport = Schemas['ImportReport']
export type Job = Schemas['Job']
export type Language = Schemas['Language']
export type LiveMessage = Schemas['LiveMessage']
export type LivePlatformMessage = Schemas['LivePlatformMessage']
export type MailFailure = Schemas['MailFailure']
export type MailNow = Schemas['MailNow']
export type MailRecipient = Schemas['MailRecipient']
export type MailSecurity = Schemas['MailSecurity']
export type MailSettings = Schemas['MailSettings']
export type MailSettingsPatch = Schemas['MailSettingsPatch']
export type MailTestState = Schemas['MailTestState']
export type Mark = Schemas['Mark']
export type Meter = Schemas['Meter']
export type NetworkAddressSource = Schemas['NetworkAddressSource']
export type NetworkEnded = Schemas['NetworkEnded']
export type NetworkInterface = Schemas['NetworkInterface']
export type NetworkLink = Schemas['NetworkLink']
export type NetworkLinkState = Schemas['NetworkLinkState']
export type NetworkNow = Schemas['NetworkNow']
export type NetworkSettings = Schemas['NetworkSettings']
export type NetworkTrying = Schemas['NetworkTrying']
export type Peaks = Schemas['Peaks']
export type PlatformLink = Schemas['PlatformLink']
export type PlatformLinkPatch = Schemas['PlatformLinkPatch']
export type PlatformSettings = Schemas['PlatformSettings']
export type PlatformSettingsNow = Schemas['PlatformSettingsNow']
export type PlatformSettingsPatch = Schemas['PlatformSettingsPatch']
export type Port = Schemas['Port']
export type PortState = Schemas['PortState']
export type PullNow = Schemas['PullNow']
export type PullSettings = Schemas['PullSettings']
export type PullTrouble = Schemas['PullTrouble']
export type Recording = Schemas['Recording']
export type RecordingDetail = Schemas['RecordingDetail']
export type RecordingPatch = Schemas['RecordingPatch']
export type Release = Schemas['Release']
export type Right = Schemas['Right']
export type Role = Box['role']
export type Session = Schemas['Session']
export type Severity = Schemas['Severity']
export type StartMode = Schemas['StartMode']
export type Statistics = Schemas['Statistics']
export type StopMode = Schemas['StopMode']
export type Tag = Schemas['Tag']
export type UplinkToken = Schemas['UplinkToken']
export type Vitals = Schemas['Vitals']
export type WaitingBox = Schemas['WaitingBox']

export type RecordingQuery = NonNullable<operations['list_recordings']['parameters']['query']>
/** What was counted, and nothing that came since. */
export type CountedQuery = RecordingQuery & { through: number }
export type AlarmQuery = NonNullable<operations['list_alarms']['parameters']['query']>
export type ContactQuery = NonNullable<operations['list_contacts']['parameters']['query']>
export type CommandQuery = NonNullable<operations['list_commands']['parameters']['query']>
export type AuditQuery = NonNullable<operations['list_audit']['parameters']['query']>

const BASE = '/api/v1'

/** An answer that is not success. `code` and `params` become a sentence in the reader's language (problem.ts). */
export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly params: Record<string, unknown> = {},
  ) {
    super(code)
  }
}

let csrf = ''
let sessionLost: () => void = () => undefined

/** The token every state-changing request carries. */
export function useCsrf(token: string): void {
  csrf = token
}

/** What to do when the box says that nobody is logged in any more. */
export function onSessionLost(act: () => void): void {
  sessionLost = act
}

type QueryValue = string | number | boolean | null | undefined | readonly (string | number)[]

/** `?a=1&b=2&b=3`; empty values are left out, lists repeat their name. */
export function queryText(query: object = {}): string {
  const out = new URLSearchParams()
  for (const [name, value] of Object.entries(query) as [string, QueryValue][]) {
    if (Array.isArray(value)) for (const one of value) out.append(name, String(one))
    else if (value !== undefined && value !== null && value !== '') out.set(name, String(value))
  }
  const text = out.toString()
  return text ? `?${text}` : ''
}

async function problemOf(response: Response): Promise<ApiProblem> {
  try {
    const body = (await response.json()) as Partial<Schemas['Problem']>
    return new ApiProblem(
      response.status,
      body.code ?? 'unreadable',
      body.params ?? { status: response.status },
    )
  } catch {
    return new ApiProblem(response.status, 'unreadable', { status: response.status })
  }
}

/** A body that is a CSV file, not JSON. */
class CsvText {
  constructor(readonly text: string) {}
}

async function send<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = {}
  if (method !== 'GET') headers['X-Hookline-CSRF'] = csrf
  const text = body instanceof CsvText ? body.text : body === undefined ? undefined : JSON.stringify(body)
  if (body !== undefined) headers['Content-Type'] = body instanceof CsvText ? 'text/csv' : 'application/json'
  const asked = fetch(BASE + path, { method, headers, body: text, signal, credentials: 'same-origin' })
  return await answerTo<T>(asked, signal)
}

async function answerTo<T>(asked: Promise<Response>, signal?: AbortSignal): Promise<T> {
  let response: Response
  try {
    response = await asked
  } catch (error) {
    if (signal?.aborted) throw error
    boxIsSilent()
    throw new ApiProblem(0, 'unreachable')
  }
  boxAnswers()
  if (!response.ok) {
    const problem = await problemOf(response)
    if (problem.code === 'not_logged_in') sessionLost()
    throw problem
  }
  return (response.status === 204 ? undefined : await response.json()) as T
}

const get = <T>(path: string, query?: object, signal?: AbortSignal) =>
  send<T>('GET', path + queryText(query), undefined, signal)
const post = <T = undefined>(path: string, body: unknown = {}) => send<T>('POST', path, body)
const patch = <T>(path: string, body: unknown) => send<T>('PATCH', path, body)
const remove = (path: string) => send<undefined>('DELETE', path)
const part = encodeURIComponent

export const api = {
  login: (name: string, password: string) => post<Session>('/login', { name, password }),
  logout: () => post('/logout'),
  session: () => get<Session>('/session'),
  rememberLanguage: (language: Language) => patch<Session>('/session', { language }),
  changePassword: (old: string, next: string) => post<Session>('/password', { old, new: next }),
  box: () => get<Box>('/box'),
  boxSettings: () => get<BoxSettingsNow>('/settings/box'),
  changeBoxSettings: (settings: BoxSettingsPatch) => patch<BoxSettingsNow>('/settings/box', { settings }),

  clock: () => get<ClockNow>('/settings/clock'),
  changeClock: (settings: ClockSettingsPatch) => patch<ClockNow>('/settings/clock', { settings }),
  setClock: (time: string) => post<ClockNow>('/settings/clock/set', { time }),
  stepClock: () => post<ClockNow>('/settings/clock/step'),

  mail: () => get<MailNow>('/settings/mail'),
  changeMail: (settings: MailSettingsPatch) => patch<MailNow>('/settings/mail', { settings }),
  /** The address that is asked may be gone: `signal` says when to give up. */
  network: (signal?: AbortSignal) => get<NetworkNow>('/settings/network', {}, signal),
  changeNetwork: (settings: NetworkSettings) => patch<NetworkTrying>('/settings/network', { settings }),
  confirmNetwork: (id: number) => post('/settings/network/confirm', { id }),
  revertNetwork: (id: number) => post('/settings/network/revert', { id }),
  testMail: (text: string) => post<MailNow>('/settings/mail/test', { text }),

  recall: (port: number, limit = 10) => get<Schemas['RecordingList']>(`/ports/${port}/recordings`, { limit }),
  record: (port: number, action: 'start' | 'stop') => post<Port>(`/ports/${port}/record`, { action }),
  calibrate: (port: number, step: Schemas['CalibrationCommand']['step']) =>
    post<Calibration>(`/ports/${port}/calibration`, { step }),

  recordings: (query: RecordingQuery, signal?: AbortSignal) =>
    get<Schemas['RecordingList']>('/recordings', query, signal),
  recording: (id: string) => get<RecordingDetail>(`/recordings/${part(id)}`),
  peaks: (id: string) => get<Peaks>(`/recordings/${part(id)}/peaks`),
  annotate: (id: string, change: RecordingPatch) => patch<RecordingDetail>(`/recordings/${part(id)}`, change),
  addTag: (id: string, sample: number, text: string) =>
    post<Tag>(`/recordings/${part(id)}/tags`, { sample, text }),
  removeTag: (id: string, tag: string) => remove(`/recordings/${part(id)}/tags/${part(tag)}`),
  tagTexts: () => get<Schemas['TagTextList']>('/tags'),
  grade: (ids: string[], grade: Grade) => post<Schemas['ManyResult']>('/recordings/grade', { ids, grade }),
  deleteRecordings: (ids: string[], count: number) =>
    post<Schemas['ManyResult']>('/recordings/delete', { ids, count }),
  statistics: (query: RecordingQuery & { by: Schemas['StatisticsBy'] }, signal?: AbortSignal) =>
    get<Statistics>('/recordings/statistics', query, signal),

  found: (query: RecordingQuery) => get<Found>('/recordings/found', query),
  deleteFound: (query: CountedQuery, count: number) =>
    post<Job>(`/recordings/found/delete${queryText(query)}`, { count }),
  /** A station sends a recording that has not come yet. */
  fetchRecording: (id: string) => post<Command>(`/recordings/${part(id)}/fetch`),
  jobs: () => get<Schemas['JobList']>('/jobs'),
  cancelJob: (id: string) => post<Job>(`/jobs/${part(id)}/cancel`),

  alarms: (query: AlarmQuery, signal?: AbortSignal) => get<Schemas['AlarmList']>('/alarms', query, signal),
  acknowledge: (id: string, note: string | null) => post<Alarm>(`/alarms/${part(id)}/acknowledge`, { note }),

  channels: () => get<Schemas['ChannelList']>('/channels'),
  changeChannels: (ports: number[], settings: ChannelSettingsPatch) =>
    patch<Schemas['ChannelList']>('/channels', { ports, settings }),
  undoChannels: () => post<Schemas['ChannelList']>('/channels/undo'),
  resetVolts: (ports: number[]) => post('/channels/volts/reset', { ports }),

  units: () => get<UnitList>('/units'),
  changeUnits: (units: UnitSettings[]) => patch<UnitList>('/units', { units }),
  unitsFound: () => get<UnitsFound>('/units/found'),
  /** The recorder starts again with the units as they are set. */
  applyUnits: () => post('/units/apply'),

  audit: (query: AuditQuery, signal?: AbortSignal) => get<Schemas['AuditList']>('/audit', query, signal),

  accounts: () => get<Schemas['AccountList']>('/accounts'),
  createAccount: (account: Schemas['AccountRequest']) => post<Account>('/accounts', account),
  changeAccount: (name: string, change: Schemas['AccountPatch']) =>
    patch<Account>(`/accounts/${part(name)}`, change),
  deleteAccount: (name: string) => remove(`/accounts/${part(name)}`),

  contacts: (query: ContactQuery, signal?: AbortSignal) =>
    get<Schemas['ContactList']>('/contacts', query, signal),
  createContact: (contact: Schemas['ContactRequest']) => post<Contact>('/contacts', contact),
  changeContact: (number: string, change: Schemas['ContactPatch']) =>
    patch<Contact>(`/contacts/${part(number)}`, change),
  deleteContact: (number: string) => remove(`/contacts/${part(number)}`),
  importContacts: (csv: string, check: boolean) =>
    post<ContactImportReport>(`/contacts/import${queryText({ check })}`, new CsvText(csv)),

  platformLink: () => get<PlatformLink>('/settings/platform'),
  changePlatformLink: (settings: PlatformLinkPatch) =>
    patch<PlatformLink>('/settings/platform', { settings }),
  uplinkToken: () => get<UplinkToken>('/uplink/token'),
  makeUplinkToken: () => post<Schemas['UplinkTokenMade']>('/uplink/token'),
  removeUplinkToken: () => remove('/uplink/token'),

  platformSettings: () => get<PlatformSettingsNow>('/settings/server'),
  changePlatformSettings: (settings: PlatformSettingsPatch) =>
    patch<PlatformSettingsNow>('/settings/server', { settings }),

  home: () => get<Home>('/home'),
  vitals: () => get<Vitals>('/vitals'),
  device: (serial: string) => get<Device>(`/devices/${part(serial)}`),
  addDevice: (device: Schemas['DeviceRequest']) => post<Device>('/devices', device),
  changeDevice: (serial: string, change: Schemas['DevicePatch']) =>
    patch<Device>(`/devices/${part(serial)}`, change),
  removeDevice: (serial: string) => remove(`/devices/${part(serial)}`),
  replaceKey: (serial: string, key: Schemas['DeviceKeyRequest']) =>
    post<Device>(`/devices/${part(serial)}/key`, key),
  changePull: (serial: string, change: DevicePullPatch) =>
    patch<DevicePull>(`/devices/${part(serial)}/pull`, change),
  removePull: (serial: string) => remove(`/devices/${part(serial)}/pull`),
  fetchNow: (serial: string) => post<DevicePull>(`/devices/${part(serial)}/pull/fetch`),
  importDevices: (csv: string, check: boolean) =>
    post<ImportReport>(`/devices/import${queryText({ check })}`, new CsvText(csv)),
  waiting: () => get<Schemas['WaitingList']>('/devices/waiting'),
  changeDevicePorts: (serial: string, change: Schemas['DevicePortsPatch']) =>
    patch<Schemas['DevicePortList']>(`/devices/${part(serial)}/ports`, change),
  command: (request: Schemas['CommandRequest']) =>
    post<Schemas['CommandsAsked']>('/devices/commands', request),
  commands: (query: CommandQuery, signal?: AbortSignal) =>
    get<Schemas['CommandList']>('/commands', query, signal),
  oneCommand: (id: string) => get<Command>(`/commands/${part(id)}`),
  cancelCommand: (id: string) => post<Command>(`/commands/${part(id)}/cancel`),

  releases: () => get<Schemas['ReleaseList']>('/releases'),
  addRelease: (name: string, file: Blob, sending: Sending) => {
    const headers = { 'X-Hookline-CSRF': csrf, 'Content-Type': 'application/octet-stream' }
    const asked = sendFile(`${BASE}/releases${queryText({ name })}`, headers, file, sending)
    return answerTo<Release>(asked, sending.signal)
  },
  removeRelease: (sha256: string) => remove(`/releases/${part(sha256)}`),

  departments: () => get<Schemas['DepartmentList']>('/departments'),
  createDepartment: (department: Schemas['DepartmentRequest']) =>
    post<Department>('/departments', department),
  changeDepartment: (name: string, change: Schemas['DepartmentPatch']) =>
    patch<Department>(`/departments/${part(name)}`, change),
  removeDepartment: (name: string) => remove(`/departments/${part(name)}`),
}

export const audioUrl = (id: string, tracks: boolean) =>
  `${BASE}/recordings/${part(id)}/audio${tracks ? '?mix=tracks' : ''}`
export const fileUrl = (id: string) => `${BASE}/recordings/${part(id)}/file`
export const recordingExportUrl = (query: object) => `${BASE}/recordings/export${queryText(query)}`
export const auditExportUrl = (query: object) => `${BASE}/audit/export${queryText(query)}`
export const contactExportUrl = (query: object) => `${BASE}/contacts/export${queryText(query)}`
export const contactTemplateUrl = `${BASE}/contacts/import`

/** Address of a WebSocket of this box. */
export function socketUrl(path: string): string {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${BASE}${path}`
}

/** Saves an answer as a file: the browser itself fetches it. */
export function saveUrl(url: string): void {
  const link = document.createElement('a')
  link.href = url
  link.download = ''
  link.click()
}

/** Saves a text that was made here as a file. */
export function saveText(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}

export const importTemplateUrl = `${BASE}/devices/import`

/**
 * Saves many recordings as a ZIP; a form post lets the browser stream it to disk. A refusal would replace the page, so
 * that the session is asked for first.
 */
export async function saveZip(ids: string[], language: string): Promise<void> {
  await postForm(`/recordings/download${queryText({ lang: language })}`, ids)
}

/** Saves all that a query finds as a ZIP. */
export async function saveFound(query: CountedQuery, language: string): Promise<void> {
  await postForm(`/recordings/found/download${queryText({ ...query, lang: language })}`)
}

async function postForm(path: string, ids: string[] = []): Promise<void> {
  csrf = (await api.session()).csrf
  const form = document.createElement('form')
  form.method = 'post'
  form.action = BASE + path
  form.hidden = true
  const field = (name: string, value: string) => {
    const input = document.createElement('input')
    input.type = 'hidden'
    input.name = name
    input.value = value
    form.append(input)
  }
  field('csrf', csrf)
  for (const id of ids) field('ids', id)
  document.body.append(form)
  form.submit()
  form.remove()
}
