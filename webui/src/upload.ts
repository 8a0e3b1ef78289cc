// Sends a file as the body of a request, and says how much of it has gone. `fetch` does not tell that.

export interface Sending {
  /** Bytes that have been sent. */
  progress: (sent: number) => void
  signal: AbortSignal
}

/** Fails when there is no answer, and when `signal` gives it up. */
export function sendFile(
  address: string,
  headers: Record<string, string>,
  file: Blob,
  { progress, signal }: Sending,
): Promise<Response> {
  return new Promise((answer, fail) => {
    const request = new XMLHttpRequest()
    const stop = () => {
      request.abort()
    }
    request.open('POST', address)
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
    request.upload.onprogress = ({ loaded }) => {
      progress(loaded)
    }
    request.onload = () => {
      answer(new Response(request.responseText, { status: request.status }))
    }
    request.onerror = () => {
      fail(new TypeError('no answer'))
    }
    request.onabort = () => {
      fail(new DOMException('given up', 'AbortError'))
    }
    request.onloadend = () => {
      signal.removeEventListener('abort', stop)
    }
    signal.addEventListener('abort', stop)
    if (signal.aborted) fail(new DOMException('given up', 'AbortError'))
    else request.send(file)
  })
}
