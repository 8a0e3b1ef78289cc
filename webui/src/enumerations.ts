// Values of the interface's enumerations in the order the pages show them: each list stands here once, and does not
// compile when the interface has a value that it lacks.
import type {
  AlarmCategory,
  AuditResult,
  CallType,
  Codec,
  Grade,
  PortState,
  Right,
  Severity,
  StartMode,
  StopMode,
} from './api'

/** The list as it is, when it holds every value of `T` and nothing else. */
const every =
  <T extends string>() =>
  <const L extends readonly T[]>(list: [T] extends [L[number]] ? L : never): L =>
    list

export const PORT_STATES = every<PortState>()([
  'recording',
  'ringing',
  'off_hook',
  'idle',
  'line_lost',
  'disabled',
  'unused',
])
export const CALL_TYPES = every<CallType>()([
  'incoming_answered',
  'incoming_missed',
  'outgoing_answered',
  'outgoing_unanswered',
  'unknown',
])
export const START_MODES = every<StartMode>()([
  'voltage',
  'voice',
  'key',
  'signalling',
  'schedule',
  'continuous',
  'manual',
])
export const STOP_MODES = every<StopMode>()([
  'on_hook',
  'silence',
  'busy_tone',
  'release',
  'line_lost',
  'schedule',
  'length',
  'manual',
  'shutdown',
  'power_loss',
])
export const GRADES = every<Grade>()(['normal', 'important', 'permanent'])
export const CODECS = every<Codec>()(['g711_alaw', 'g711_ulaw', 'linear'])
export const SEVERITIES = every<Severity>()(['critical', 'minor', 'notice'])
export const ALARM_CATEGORIES = every<AlarmCategory>()([
  'channel',
  'disk',
  'network',
  'time',
  'system',
  'trunk',
])
export const AUDIT_RESULTS = every<AuditResult>()(['ok', 'refused', 'failed'])
export const RIGHTS = every<Right>()([
  'live',
  'listen',
  'download',
  'annotate',
  'delete',
  'alarms',
  'settings',
  'audit',
  'accounts',
  'system',
])
