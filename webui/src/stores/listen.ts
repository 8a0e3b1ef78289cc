// Listening to a port as it happens, of this box or of a station: a WebSocket of 16 bit samples into the audio thread.
// One port at a time.
import { computed, ref } from 'vue'
import { ApiProblem, socketUrl } from '@/api'
import { pause } from './player'

const RATE_HZ = 8000

const heard = ref<string | null>(null)
const failure = ref<unknown>(null)
/** Milliseconds of audio received, for tests and for the mark that something comes. */
const received = ref(0)

/** The path of what is heard. */
export const listeningTo = computed(() => heard.value)

/** Where a port's sound comes from; `serial` names a station of this platform. */
export const soundPath = (port: number, serial?: string): string =>
  `${serial === undefined ? '' : `/devices/${encodeURIComponent(serial)}`}/ports/${port}/listen`

export const listenProblem = computed(() => failure.value)
export const receivedMs = computed(() => received.value)

let socket: WebSocket | null = null
let context: AudioContext | null = null

export function stopListening(): void {
  const ended = socket
  socket = null
  ended?.close()
  void context?.close()
  context = null
  heard.value = null
}

/** Begins to listen; what is played from the recordings pauses, so that two voices are never mixed. */
export async function listen(path: string): Promise<void> {
  stopListening()
  pause()
  failure.value = null
  received.value = 0
  heard.value = path
  try {
    const mine = new AudioContext({ sampleRate: RATE_HZ, latencyHint: 'interactive' })
    context = mine
    await mine.audioWorklet.addModule(new URL('./pcm-processor.js', import.meta.url).href)
    if (context !== mine) return
    const node = new AudioWorkletNode(mine, 'pcm', { numberOfInputs: 0, outputChannelCount: [1] })
    node.connect(mine.destination)
    open(path, node)
  } catch {
    stopListening()
    failure.value = new ApiProblem(0, 'audio_unplayable')
  }
}

function open(path: string, node: AudioWorkletNode): void {
  const mine = new WebSocket(socketUrl(path))
  mine.binaryType = 'arraybuffer'
  socket = mine
  mine.onmessage = (event: MessageEvent<ArrayBuffer>) => {
    received.value += Math.round((event.data.byteLength / 2 / RATE_HZ) * 1000)
    node.port.postMessage(event.data, [event.data])
  }
  mine.onclose = () => {
    if (socket !== mine) return
    stopListening()
    failure.value = new ApiProblem(0, 'listen_ended')
  }
}
