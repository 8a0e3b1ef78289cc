// Draws level meters on canvases: one subscription for all of them, and only those in view are painted.
import { SILENCE_DBM0, levelsOf, onLevels } from './stores/live'
import { colour, dark } from './scheme'
import { watch } from 'vue'

const FLOOR_DBM0 = -60
const GAP_PX = 2

/** Share of the meter that a level fills, 0…1 from −60 to 0 dBm0. */
export function fill(dbm0: number): number {
  if (dbm0 <= SILENCE_DBM0) return 0
  return Math.min(1, Math.max(0, (dbm0 - FLOOR_DBM0) / -FLOOR_DBM0))
}

interface Meter {
  canvas: HTMLCanvasElement
  port: number
  visible: boolean
  /** What was painted last, so that a quiet meter costs nothing. */
  painted: string
}

const meters = new Set<Meter>()
let colours = { track: '', near: '', far: '' }
let stop: (() => void) | null = null
let seen: IntersectionObserver | null = null

function readColours(): void {
  colours = { track: colour('--meter-track'), near: colour('--near'), far: colour('--far') }
  for (const meter of meters) meter.painted = ''
}

function paint(meter: Meter): void {
  const { canvas } = meter
  const ratio = devicePixelRatio
  const width = Math.round(canvas.clientWidth * ratio)
  const height = Math.round(canvas.clientHeight * ratio)
  if (width === 0 || height === 0) return
  const [near, far] = levelsOf(meter.port)
  const bars = far === null ? [near] : [near, far]
  const lengths = bars.map((dbm0) => Math.round(fill(dbm0) * width))
  const key = `${width}x${height}:${lengths.join()}`
  if (key === meter.painted) return
  meter.painted = key
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width
    canvas.height = height
  }
  const pen = canvas.getContext('2d')
  if (!pen) return
  pen.clearRect(0, 0, width, height)
  const gap = GAP_PX * ratio
  const bar = (height - gap * (bars.length - 1)) / bars.length
  lengths.forEach((length, index) => {
    const top = index * (bar + gap)
    pen.fillStyle = colours.track
    pen.fillRect(0, top, width, bar)
    pen.fillStyle = index === 0 ? colours.near : colours.far
    pen.fillRect(0, top, length, bar)
  })
}

function paintAll(): void {
  if (document.hidden) return
  for (const meter of meters) if (meter.visible) paint(meter)
}

function begin(): void {
  readColours()
  const stopLevels = onLevels(paintAll)
  // The class on <html> changes first, then its colours are read.
  const stopScheme = watch(dark, readColours, { flush: 'post' })
  seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      for (const meter of meters) {
        if (meter.canvas === entry.target) {
          meter.visible = entry.isIntersecting
          if (meter.visible) paint(meter)
        }
      }
    }
  })
  stop = () => {
    stopLevels()
    stopScheme()
    seen?.disconnect()
    seen = null
    stop = null
  }
}

/** Shows the levels of `port` on `canvas` until the returned function is called. */
export function drawLevels(canvas: HTMLCanvasElement, port: number): () => void {
  if (!stop) begin()
  const meter: Meter = { canvas, port, visible: false, painted: '' }
  meters.add(meter)
  seen?.observe(canvas)
  return () => {
    meters.delete(meter)
    seen?.unobserve(canvas)
    if (meters.size === 0) stop?.()
  }
}
