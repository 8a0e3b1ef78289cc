// How far the waveform is stretched, and which part of it is in sight. Lengths are in pixels of the whole waveform.

/** One step of a key or button; three steps make a little more than four times. */
export const STEP = 1.6
/** A canvas much wider than this costs more memory than a tablet likes to give. */
const WIDEST_PX = 40_000

/** Most that a recording can be stretched: until a peak is two pixels wide, or the canvas is as wide as it may be. */
export function mostZoom(view_px: number, peaks: number): number {
  if (view_px <= 0) return 1
  return Math.max(1, Math.min((2 * peaks) / view_px, WIDEST_PX / view_px))
}

export const clampZoom = (zoom: number, most: number): number => Math.min(Math.max(1, zoom), most)

/** Scroll after a zoom that keeps the point `at` (0…1 of the recording) where it was in view. */
export function scrollKeeping(
  at: number,
  from: number,
  to: number,
  scroll_px: number,
  view_px: number,
): number {
  const inView = at * from * view_px - scroll_px
  return clampScroll(at * to * view_px - inView, to, view_px)
}

/** Scroll that shows the point `at` near the left edge, so that what comes next is in sight. */
export const scrollTo = (at: number, zoom: number, view_px: number): number =>
  clampScroll(at * zoom * view_px - view_px / 8, zoom, view_px)

export function inSight(at: number, zoom: number, scroll_px: number, view_px: number): boolean {
  const x = at * zoom * view_px - scroll_px
  return x >= 0 && x <= view_px
}

const clampScroll = (scroll_px: number, zoom: number, view_px: number): number =>
  Math.min(Math.max(0, scroll_px), (zoom - 1) * view_px)
