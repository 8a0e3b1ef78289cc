// Dark or light, by the system's setting. Element Plus looks for the class `dark` on <html>; canvases ask for colours.
import { ref } from 'vue'

const query = matchMedia('(prefers-color-scheme: dark)')

/** True while the system asks for dark pages. */
export const dark = ref(query.matches)

function apply(): void {
  dark.value = query.matches
  document.documentElement.classList.toggle('dark', query.matches)
}

export function followSystem(): void {
  query.addEventListener('change', apply)
  apply()
}

/** A design token as a colour that a canvas or chart understands. */
export function colour(token: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(token).trim()
}
