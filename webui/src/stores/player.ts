// What is being heard: one audio element for all pages, the playlist, and what a person notes about the recording.
import { computed, reactive, ref, shallowReactive, shallowRef } from 'vue'
import { api, ApiProblem, audioUrl, type Recording, type RecordingDetail, type RecordingPatch } from '@/api'

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3] as const
const VOLUME_STORED = 'hookline.volume'

const current = shallowRef<RecordingDetail | null>(null)
const list = shallowReactive<Recording[]>([])
const failure = shallowRef<unknown>(null)
const changed = shallowRef<Recording | null>(null)
const clock = reactive({
  position_s: 0,
  paused: true,
  speed: 1,
  volume: Number(localStorage.getItem(VOLUME_STORED) ?? 1),
})
const opening = ref(false)

export const audio = new Audio()
audio.preload = 'auto'
audio.preservesPitch = true
audio.volume = clock.volume

export const playing = computed(() => current.value)
export const playlist = computed(() => list)
export const playProblem = computed(() => failure.value)
export const isOpening = computed(() => opening.value)
export const transport = clock
/** The recording that was annotated last, so that lists can show it. */
export const annotated = computed(() => changed.value)
/** Length of the audio in seconds, pre-roll included. */
export const length_s = computed(() => (current.value ? current.value.samples / current.value.rate_hz : 0))

audio.addEventListener('timeupdate', () => (clock.position_s = audio.currentTime))
audio.addEventListener('seeking', () => (clock.position_s = audio.currentTime))
audio.addEventListener('play', () => (clock.paused = false))
audio.addEventListener('pause', () => (clock.paused = true))
audio.addEventListener('ended', () => void step(1))
audio.addEventListener('error', () => {
  // Emptying the source on close is reported as an error too.
  if (current.value && audio.getAttribute('src')) void explain(current.value.id)
})

/** The audio element only knows that it failed; the box knows why. */
async function explain(id: string): Promise<void> {
  try {
    const fresh = await api.recording(id)
    failure.value = fresh.has_audio ? new ApiProblem(0, 'audio_unplayable') : silent(fresh)
  } catch (error) {
    failure.value = error
  }
}

/** Why a record has nothing to hear. */
function silent(recording: RecordingDetail): ApiProblem {
  return new ApiProblem(410, recording.deleted ? 'recording_deleted' : 'audio_absent')
}

let asked = 0

/** Opens a recording and plays it, from `sample` on or from its beginning. */
export async function play(recording: Recording, sample = 0): Promise<void> {
  if (current.value?.id === recording.id) {
    seek(sample / current.value.rate_hz)
    await resume()
    return
  }
  asked += 1
  const mine = asked
  failure.value = null
  opening.value = true
  try {
    const detail = await api.recording(recording.id)
    if (mine !== asked) return
    current.value = detail
    if (!detail.has_audio) {
      audio.pause()
      audio.removeAttribute('src')
      failure.value = silent(detail)
      return
    }
    audio.src = audioUrl(detail.id, detail.tracks > 1)
    audio.playbackRate = clock.speed
    audio.currentTime = sample / detail.rate_hz
    clock.position_s = audio.currentTime
    if (!list.some(({ id }) => id === detail.id)) list.splice(0, list.length, detail)
    await resume()
  } catch (error) {
    failure.value = error
  } finally {
    if (mine === asked) opening.value = false
  }
}

async function resume(): Promise<void> {
  try {
    await audio.play()
  } catch (error) {
    // A newer source or a pause interrupts play(): nothing failed.
    if (!(error instanceof DOMException && error.name === 'AbortError')) failure.value = error
  }
}

export function toggle(): void {
  if (!current.value?.has_audio) return
  if (audio.paused) void resume()
  else audio.pause()
}

export function pause(): void {
  audio.pause()
}

export function seek(seconds: number): void {
  audio.currentTime = Math.min(Math.max(0, seconds), length_s.value)
}

export function skip(seconds: number): void {
  seek(audio.currentTime + seconds)
}

export function setSpeed(speed: number): void {
  clock.speed = speed
  audio.playbackRate = speed
}

/** L of J K L: plays, and plays faster each time it is pressed while playing. */
export function faster(): void {
  if (audio.paused) {
    setSpeed(1)
    toggle()
    return
  }
  setSpeed(SPEEDS.find((speed) => speed > clock.speed) ?? 3)
}

export function setVolume(volume: number): void {
  clock.volume = volume
  audio.volume = volume
  localStorage.setItem(VOLUME_STORED, String(volume))
}

/** Plays these one after the other. */
export async function playAll(recordings: readonly Recording[]): Promise<void> {
  const audible = recordings.filter(({ has_audio }) => has_audio)
  list.splice(0, list.length, ...audible)
  const [first] = audible
  if (first) await play(first)
}

export function enqueue(recordings: readonly Recording[]): number {
  const fresh = recordings.filter((one) => one.has_audio && !list.some(({ id }) => id === one.id))
  list.push(...fresh)
  return fresh.length
}

export function dequeue(id: string): void {
  const at = list.findIndex((one) => one.id === id)
  if (at >= 0) list.splice(at, 1)
}

/** The next (1) or the one before (−1) of the playlist. */
export async function step(by: 1 | -1): Promise<void> {
  const at = list.findIndex(({ id }) => id === current.value?.id)
  const next = list[at + by]
  if (at >= 0 && next) await play(next)
}

export function close(): void {
  asked += 1
  audio.pause()
  current.value = null
  failure.value = null
  opening.value = false
  audio.removeAttribute('src')
  audio.load()
  list.splice(0)
}

function take(next: RecordingDetail): void {
  if (current.value?.id === next.id) current.value = next
  changed.value = next
}

/** Score, grade or note of a recording, playing or not. */
export async function annotate(id: string, change: RecordingPatch): Promise<RecordingDetail> {
  const next = await api.annotate(id, change)
  take(next)
  return next
}

/** A flag on what is playing, at `sample`. */
export async function addTag(sample: number, text: string): Promise<void> {
  const id = current.value?.id
  if (!id) return
  await api.addTag(id, sample, text)
  take(await api.recording(id))
}

export async function removeTag(tag: string): Promise<void> {
  const id = current.value?.id
  if (!id) return
  await api.removeTag(id, tag)
  take(await api.recording(id))
}

/** The sample that is heard now. */
export function positionSample(): number {
  const detail = current.value
  if (!detail) return 0
  return Math.min(detail.samples, Math.max(0, Math.round(audio.currentTime * detail.rate_hz)))
}
