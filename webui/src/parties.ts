// Who is behind caller and callee: contacts are kept by our side and the other side, lists show them by direction.
import type { Recording } from '@/api'

const outgoing = (recording: Recording) => recording.call_type.startsWith('outgoing')
const peerName = (recording: Recording) => recording.peer_contact ?? recording.peer_name

export const callerName = (recording: Recording) =>
  outgoing(recording) ? recording.line_contact : peerName(recording)
export const calleeName = (recording: Recording) =>
  outgoing(recording) ? peerName(recording) : recording.line_contact
