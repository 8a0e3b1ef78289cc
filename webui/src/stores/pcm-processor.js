// Runs on the audio thread: plays 16 bit samples as they come, with a short cushion against jitter of the network.
// When more than the longest cushion has gathered, the oldest is dropped, so that the delay stays under half a second.
const RATE_HZ = 8000
const CUSHION = 0.12 * RATE_HZ
const LONGEST = 0.4 * RATE_HZ

class PcmProcessor extends AudioWorkletProcessor {
    constructor() {
        super()
        this.queue = []
        this.waiting = 0
        this.position = 0
        this.started = false
        this.step = RATE_HZ / sampleRate
        this.port.onmessage = ({ data }) => {
            const samples = new Int16Array(data)
            this.queue.push(samples)
            this.waiting += samples.length
            while (this.waiting > LONGEST && this.queue.length > 1) {
                this.waiting -= this.queue.shift().length
                this.position = 0
            }
            if (this.waiting >= CUSHION) this.started = true
        }
    }

    process(_inputs, outputs) {
        const out = outputs[0][0]
        for (let i = 0; i < out.length; i += 1) {
            const block = this.queue[0]
            if (!this.started || !block) {
                out[i] = 0
                this.started = false
                continue
            }
            out[i] = block[Math.floor(this.position)] / 32768
            this.position += this.step
            if (this.position >= block.length) {
                this.position -= block.length
                this.waiting -= block.length
                this.queue.shift()
            }
        }
        return true
    }
}

registerProcessor('pcm', PcmProcessor)
