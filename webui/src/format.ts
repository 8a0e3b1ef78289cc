// Numbers as the pages show them. Times keep the offset they came with: the box's own, never the browser's.

/** `0:05:06`; negative and unknown lengths are shown as a dash. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds) || seconds < 0) return '–'
  const whole = Math.floor(seconds + 1e-6)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`
}

/** Time since an RFC 3339 moment; a clock that ticks a moment later than the box does not run below zero. */
export function elapsed(since: string | null, now_ms: number): string {
  return since ? duration(Math.max(0, (now_ms - Date.parse(since)) / 1000)) : ''
}

/** `2026-03-01 08:00:12` of an RFC 3339 time, in the offset it is written in. */
export function dateTime(time: string | null | undefined): string {
  return time ? `${time.slice(0, 10)} ${time.slice(11, 19)}` : '–'
}

/** `08:00:12` */
export function timeOfDay(time: string | null | undefined): string {
  return time ? time.slice(11, 19) : '–'
}

/** `48.2 V`, by magnitude: both polarities are the same line. */
export function volts(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : `${Math.abs(value).toFixed(1)} V`
}

/** `931 GB`, decimal as disks are sold. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = count
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** `12,345` */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',')
}
