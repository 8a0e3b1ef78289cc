// Telephone numbers and ports as a person types many of them: apart by spaces, commas or lines.
export const numbersOf = (typed: string): string[] => typed.split(/[\s,;，；、]+/).filter((one) => one !== '')
export const numbersText = (numbers: readonly string[]): string => numbers.join(' ')

/** Ports as a person types them: `1-8, 12`; `null` when it is no such list. */
export function portsOf(typed: string, most = 9999): number[] | null {
  const out = new Set<number>()
  for (const part of typed.split(/[\s,;，；、]+/).filter((one) => one !== '')) {
    const match = /^(\d{1,4})(?:[-–~](\d{1,4}))?$/.exec(part)
    if (!match) return null
    const first = Number(match[1])
    const last = Number(match[2] ?? match[1])
    if (first < 1 || last < first || last > most) return null
    for (let port = first; port <= last; port += 1) out.add(port)
  }
  return [...out].sort((a, b) => a - b)
}
