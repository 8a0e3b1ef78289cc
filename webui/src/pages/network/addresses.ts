// Addresses as people type them.

/** An IPv4 address in its net, as numbers. */
export interface Ipv4Net {
  address: number
  prefix: number
  /** First and last address of the net. */
  lowest: number
  highest: number
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/

export const isIpv4 = (text: string): boolean => IPV4.test(text)

/** Eight groups, or fewer around one `::`; an IPv4 address may be the end of it. */
export function isIpv6(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  const last = groups.at(-1) ?? ''
  const four = isIpv4(last)
  const plain = four ? groups.slice(0, -1) : groups
  if (!plain.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return false
  const count = plain.length + (four ? 2 : 0)
  return halves.length === 2 ? count <= 7 : count === 8
}

const numberOf = (address: string): number =>
  address.split('.').reduce((number, part) => number * 256 + Number(part), 0)

/** The length of a prefix; `null` when it is none. */
export function prefixOf(text: string | undefined): number | null {
  return text !== undefined && /^(?:0|[1-9]\d{0,2})$/.test(text) ? Number(text) : null
}

/** `null` when it is none: `192.168.1.20/24`. */
export function ipv4Net(text: string): Ipv4Net | null {
  const [host = '', prefixText, more] = text.split('/')
  const prefix = prefixOf(prefixText)
  if (!isIpv4(host) || prefix === null || prefix > 32 || more !== undefined) return null
  const size = 2 ** (32 - prefix)
  const address = numberOf(host)
  const lowest = Math.floor(address / size) * size
  return { address, prefix, lowest, highest: lowest + size - 1 }
}

export function ipv4InNet(address: string, net: Ipv4Net): boolean {
  const number = numberOf(address)
  return number >= net.lowest && number <= net.highest
}
