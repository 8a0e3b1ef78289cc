// Where digits, tones and other marks stand on the waveform. Digits dialled close together become one label.
import type { Mark } from '@/api'

export interface Label {
  /** Sample of the first mark. */
  sample: number
  /** Share of the width, 0…1. */
  at: number
  kind: 'digits' | 'tone' | 'hook_flash' | 'polarity_reversed' | 'gap'
  /** The digits, or the name of the tone. */
  text: string
  /** Length as a share of the width; 0 for a moment. */
  width: number
}

/** Digits nearer than this share of what is in view are read as one number. */
const TOGETHER = 0.02

/** `zoom`: how many times the recording is wider than what is in view. */
export function labels(marks: readonly Mark[], samples: number, zoom = 1): Label[] {
  if (samples <= 0) return []
  const out: Label[] = []
  let lastDigitAt = -1
  for (const mark of [...marks].sort((a, b) => a.sample - b.sample)) {
    const at = Math.min(1, mark.sample / samples)
    const before = out[out.length - 1]
    if (mark.mark === 'digit' || mark.mark === 'pulse_digit') {
      if (before?.kind === 'digits' && at - lastDigitAt < TOGETHER / zoom) before.text += mark.digit
      else out.push({ sample: mark.sample, at, kind: 'digits', text: mark.digit, width: 0 })
      lastDigitAt = at
    } else if (mark.mark === 'tone') {
      out.push({ sample: mark.sample, at, kind: 'tone', text: mark.tone, width: 0 })
    } else if (mark.mark === 'gap') {
      out.push({
        sample: mark.sample,
        at,
        kind: 'gap',
        text: '',
        width: Math.min(1 - at, mark.samples / samples),
      })
    } else {
      out.push({ sample: mark.sample, at, kind: mark.mark, text: '', width: 0 })
    }
  }
  return out
}

/** `[min,max,min,max,…]` of 8 bits as one magnitude a pair, 0…1: what the waveform draws. */
export function magnitudes(minMax: readonly number[]): number[] {
  const out = new Array<number>(Math.floor(minMax.length / 2))
  for (let i = 0; i < out.length; i += 1) {
    const low = Math.abs(minMax[2 * i] ?? 0)
    const high = Math.abs(minMax[2 * i + 1] ?? 0)
    out[i] = Math.min(1, Math.max(low, high) / 128)
  }
  return out
}
