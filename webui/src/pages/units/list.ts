// Capture units between what is set, what runs and what is plugged in.
import type { Unit, UnitPlace, UnitSettings, UnitsFound } from '@/api'

/** A unit that is set, and how it is: `null` until the recorder works with it. */
export interface Row {
  settings: UnitSettings
  now: Unit | null
}

/** Something that is plugged in and not used. */
export interface Unused {
  place: UnitPlace
  /** As people know it. */
  name: string
  /** Lines that it has; 0: not known. */
  lines: number
  /** Somebody else has it open. */
  in_use: boolean
}

export const PORTS_LAST = 9999
export const LINES_MOST = 64

export const placeText = (place: UnitPlace): string =>
  place.kind === 'line_tap' ? place.serial : place.device

const same = (one: UnitPlace, other: UnitPlace) =>
  one.kind === other.kind && placeText(one) === placeText(other)

export function rowsOf(settings: readonly UnitSettings[], units: readonly Unit[]): Row[] {
  return settings.map((one) => ({
    settings: one,
    now: units.find((unit) => same(unit.place, one.place)) ?? null,
  }))
}

export function unusedOf(found: UnitsFound, settings: readonly UnitSettings[]): Unused[] {
  const taps = found.line_taps
    .filter((tap) => tap.serial !== null)
    .map((tap) => ({
      place: { kind: 'line_tap' as const, serial: tap.serial ?? '' },
      name: tap.model,
      lines: tap.lines,
      in_use: false,
    }))
  const cards = found.pcm_devices.map((card) => ({
    place: { kind: 'pcm' as const, device: card.device },
    name: card.name,
    lines: card.channels ?? 0,
    in_use: card.in_use,
  }))
  return [...taps, ...cards].filter((one) => !settings.some((used) => same(used.place, one.place)))
}

/** The ports of a unit: `1–16`, or `5` alone. */
export function portsText({ first_port, lines }: { first_port: number; lines: number }): string {
  return lines === 1 ? String(first_port) : `${first_port}–${first_port + lines - 1}`
}

/** What a unit that nobody has set yet would be. */
export function proposed(unused: Unused | null, settings: readonly UnitSettings[]): UnitSettings {
  const behind = settings.map((unit) => unit.first_port + unit.lines)
  const names = new Set(settings.map((unit) => unit.name))
  const stem = unused?.place.kind === 'pcm' ? 'card' : 'tap'
  let number = 1
  while (names.has(`${stem}-${number}`)) number += 1
  return {
    name: `${stem}-${number}`,
    place: unused?.place ?? { kind: 'pcm', device: '' },
    first_port: Math.max(1, ...behind),
    lines: Math.min(LINES_MOST, Math.max(1, unused?.lines ?? 1)),
    two_track: false,
  }
}

/** The first unit whose ports are also those of `unit`. */
export function overlapping(unit: UnitSettings, others: readonly UnitSettings[]): UnitSettings | undefined {
  return others.find(
    (other) =>
      other.first_port < unit.first_port + unit.lines && unit.first_port < other.first_port + other.lines,
  )
}
