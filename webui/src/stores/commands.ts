// Commands to stations and what became of them: those that were given here are followed until they have ended.
import { computed, reactive } from 'vue'
import { api, type Command, type CommandState, type CommandWhat } from '@/api'

const LOOK_MS = 1000

const known = reactive(new Map<string, Command>())
let looking: ReturnType<typeof setTimeout> | undefined

const ENDED: readonly CommandState[] = ['done', 'failed', 'cancelled', 'expired']

export const isOpen = ({ state }: Pick<Command, 'state'>): boolean => !ENDED.includes(state)

/** Commands that were given here, by their ids. */
export const followed = (ids: readonly string[]): Command[] =>
  ids.flatMap((id) => {
    const one = known.get(id)
    return one ? [one] : []
  })
export const anyOpen = computed(() => [...known.values()].some(isOpen))

export function takeCommand(command: Command): void {
  known.set(command.id, command)
  if (isOpen(command)) look()
}

function look(): void {
  looking ??= setTimeout(() => {
    looking = undefined
    void ask()
  }, LOOK_MS)
}

/** Asks for all that are open, and once more for each that is not among them any more. */
async function ask(): Promise<void> {
  try {
    const still = new Map<string, Command>()
    let after: string | undefined
    do {
      const page = await api.commands({ state: 'open', limit: 200, ...(after ? { after } : {}) })
      for (const one of page.items) still.set(one.id, one)
      after = page.next ?? undefined
    } while (after)
    for (const one of [...known.values()].filter(isOpen)) {
      takeCommand(still.get(one.id) ?? (await api.oneCommand(one.id)))
    }
  } catch {
    // The frame tells when the box is away; what is open is asked for again.
    if (anyOpen.value) look()
  }
}

/** Gives a command to stations; its ids. */
export async function command(
  serials: readonly string[],
  what: CommandWhat,
  within_s?: number,
): Promise<string[]> {
  const { items } = await api.command({
    serials: [...serials],
    command: what,
    ...(within_s === undefined ? {} : { within_s }),
  })
  for (const one of items) takeCommand(one)
  return items.map(({ id }) => id)
}

export async function cancel(id: string): Promise<void> {
  takeCommand(await api.cancelCommand(id))
}
