// Recordings whose sound lies on their station only: having it sent now, and knowing when it came.
import { reactive } from 'vue'
import { api, ApiProblem, type Recording } from '@/api'
import { i18n } from '@/i18n'
import { isOpen } from '@/stores/commands'

const LOOK_MS = 700

const underway = reactive(new Set<string>())

/** Whether this recording is being fetched. */
export const fetching = (id: string): boolean => underway.has(id)

/** Why the sound is not here, in the reader's language; the station's own word for what the pages do not know. */
export function whyNotHere(reason: string): string {
  const { t, te } = i18n.global
  return te(`not_here.${reason}`) ? t(`not_here.${reason}`) : reason
}

/**
 * Has the station send the sound, and waits until it has; `false` when somebody gave it up.
 * @throws {ApiProblem} when the station could not send it, with its reason.
 */
export async function fetchNow(recording: Pick<Recording, 'id'>): Promise<boolean> {
  if (underway.has(recording.id)) return false
  underway.add(recording.id)
  try {
    let command = await api.fetchRecording(recording.id)
    while (isOpen(command)) {
      await new Promise((done) => setTimeout(done, LOOK_MS))
      command = await api.oneCommand(command.id)
    }
    if (command.state === 'failed' || command.state === 'expired')
      throw new ApiProblem(0, command.code ?? `command_${command.state}`, {
        ...command.params,
        ...command.detail,
      })
    return command.state === 'done'
  } finally {
    underway.delete(recording.id)
  }
}
