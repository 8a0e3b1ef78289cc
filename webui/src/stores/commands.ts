// Wishes that one part of the pages has of another, such as the T key of a list for the tag box of the player.
import { onBeforeUnmount } from 'vue'

type Command = 'tag'

const takers = new Map<Command, () => void>()

/** Lets this component carry the command out while it is on the page. */
export function onCommand(command: Command, act: () => void): void {
  takers.set(command, act)
  onBeforeUnmount(() => {
    if (takers.get(command) === act) takers.delete(command)
  })
}

export function runCommand(command: Command): void {
  takers.get(command)?.()
}
