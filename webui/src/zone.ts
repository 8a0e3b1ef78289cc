// Wall-clock times of the box's time zone, for filters that a person types: the browser may stand in another zone.

interface Parts {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
}

function partsIn(zone: string, utcMs: number): Parts {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  const found = Object.fromEntries(format.formatToParts(utcMs).map((part) => [part.type, Number(part.value)]))
  return found as unknown as Parts
}

/** Seconds east of UTC in `zone` at that moment. */
export function offsetSeconds(zone: string, utcMs: number): number {
  const p = partsIn(zone, utcMs)
  const asUtc = Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second)
  return Math.round((asUtc - Math.floor(utcMs / 1000) * 1000) / 1000)
}

function offsetText(seconds: number): string {
  const minutes = Math.abs(Math.round(seconds / 60))
  const two = (n: number) => String(n).padStart(2, '0')
  return `${seconds < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}

/** RFC 3339 with the zone's offset, from a moment. */
export function toRfc3339(zone: string, utcMs: number): string {
  const offset = offsetSeconds(zone, utcMs)
  return new Date(utcMs + offset * 1000).toISOString().replace('Z', offsetText(offset))
}

/** RFC 3339 from `2026-03-01 08:00:00` as the box's clock shows it. In the hour that a summer-time change repeats, the first. */
export function localToRfc3339(zone: string, local: string): string {
  const wanted = Date.parse(`${local.slice(0, 10)}T${local.slice(11, 19) || '00:00:00'}Z`)
  let utc = wanted - offsetSeconds(zone, wanted) * 1000
  utc = wanted - offsetSeconds(zone, utc) * 1000
  return toRfc3339(zone, utc)
}

/** `2026-03-01` of the box at that moment, moved by whole days. */
export function localDay(zone: string, utcMs: number, days = 0): string {
  const p = partsIn(zone, utcMs)
  return new Date(Date.UTC(p.year, p.month - 1, p.day + days)).toISOString().slice(0, 10)
}

const LOCAL_TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/

/** `2026-03-01 08:00:00`, as pickers give it and addresses carry it. */
export const isLocalTime = (text: string): boolean => LOCAL_TIME.test(text)
