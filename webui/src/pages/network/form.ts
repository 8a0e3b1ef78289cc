// Settings of the network between the interface and the form: what is typed is text until it is sent, and every method
// keeps its own fields while another one is chosen.
import type { NetworkInterface, NetworkLink, NetworkSettings } from '@/api'
import { isIpv4, isIpv6, ipv4InNet, ipv4Net, prefixOf } from './addresses'

export const IPV4_METHODS = ['dhcp', 'static', 'pppoe', 'off'] as const
export const IPV6_METHODS = ['auto', 'static', 'off'] as const
export type Ipv4Method = (typeof IPV4_METHODS)[number]
export type Ipv6Method = (typeof IPV6_METHODS)[number]

/** One interface, or one VLAN on it, as it is typed. */
export interface InterfaceForm {
  /** Of this form, for as long as the page is open. */
  key: number
  interface: string
  /** `null`: untagged; otherwise as typed. */
  vlan: string | null
  ipv4: Ipv4Method
  address4: string
  gateway4: string
  user: string
  /** Empty: as it is. */
  password: string
  service: string
  ipv6: Ipv6Method
  address6: string
  gateway6: string
  /** Addresses apart by spaces or commas. */
  dns: string
  mtu: string
}

let keys = 0

export function newInterface(name: string, vlan: string | null = null): InterfaceForm {
  keys += 1
  const empty = { address4: '', gateway4: '', address6: '', gateway6: '', dns: '', mtu: '' }
  const provider = { user: '', password: '', service: '' }
  return { key: keys, interface: name, vlan, ipv4: 'dhcp', ipv6: 'auto', ...empty, ...provider }
}

/** As it would be typed. */
const typedVlan = ({ vlan }: NetworkInterface): string | null =>
  (vlan ?? null) === null ? null : String(vlan)

export function formOf(settings: NetworkSettings): InterfaceForm[] {
  return settings.interfaces.map((one) => {
    const form = newInterface(one.interface, typedVlan(one))
    const { ipv4, ipv6 } = one
    form.ipv4 = ipv4.method
    form.ipv6 = ipv6.method
    if (ipv4.method === 'static') {
      form.address4 = ipv4.address
      form.gateway4 = ipv4.gateway ?? ''
    }
    if (ipv4.method === 'pppoe') {
      form.user = ipv4.user
      form.service = ipv4.service ?? ''
    }
    if (ipv6.method === 'static') {
      form.address6 = ipv6.address
      form.gateway6 = ipv6.gateway ?? ''
    }
    form.dns = (one.dns ?? []).join(' ')
    form.mtu = String(one.mtu ?? '')
    return form
  })
}

export const dnsOf = (typed: string): string[] => typed.split(/[\s,，、;；]+/).filter((one) => one !== '')
const wholeOf = (typed: string): number => (/^\d{1,5}$/.test(typed.trim()) ? Number(typed.trim()) : NaN)

export function settingsOf(forms: readonly InterfaceForm[]): NetworkSettings {
  return { interfaces: forms.map(interfaceOf) }
}

function interfaceOf(form: InterfaceForm): NetworkInterface {
  return {
    interface: form.interface,
    vlan: form.vlan === null ? null : wholeOf(form.vlan),
    ipv4: ipv4Of(form),
    ipv6:
      form.ipv6 === 'static'
        ? { method: 'static', address: form.address6.trim(), gateway: form.gateway6.trim() || null }
        : { method: form.ipv6 },
    dns: dnsOf(form.dns),
    mtu: form.mtu.trim() === '' ? null : wholeOf(form.mtu),
  }
}

function ipv4Of(form: InterfaceForm): NetworkInterface['ipv4'] {
  if (form.ipv4 === 'static')
    return { method: 'static', address: form.address4.trim(), gateway: form.gateway4.trim() || null }
  if (form.ipv4 === 'pppoe')
    return {
      method: 'pppoe',
      user: form.user.trim(),
      password: form.password || null,
      service: form.service.trim() || null,
    }
  return { method: form.ipv4 }
}

/** Whether the form says something else than what is set; a password that is typed does. */
export function isDirty(forms: readonly InterfaceForm[], settings: NetworkSettings): boolean {
  const plain = (some: readonly InterfaceForm[]) => JSON.stringify(settingsOf(some))
  return plain(forms) !== plain(formOf(settings))
}

/** Members that the box would refuse, by its names, and why (`NetworkFault`). Its word counts: this one comes sooner. */
export function faults(forms: readonly InterfaceForm[], settings: NetworkSettings): Map<string, string> {
  const found = new Map<string, string>()
  forms.forEach((form, index) => {
    const at = (member: string, fault: string | null) => {
      const field = `interfaces[${index}].${member}`
      if (fault && !found.has(field)) found.set(field, fault)
    }
    if (form.vlan !== null) {
      const vlan = wholeOf(form.vlan)
      at('vlan', vlan >= 1 && vlan <= 4094 ? null : 'vlan_range')
      const twice = (other: InterfaceForm) =>
        other !== form &&
        other.interface === form.interface &&
        other.vlan !== null &&
        wholeOf(other.vlan) === vlan
      at('vlan', forms.some(twice) ? 'interface_twice' : null)
    }
    if (form.ipv4 === 'static') ipv4Faults(form, at)
    if (form.ipv4 === 'pppoe') {
      at('ipv4.user', form.user.trim() === '' ? 'user_malformed' : null)
      at('ipv4.password', form.password === '' && !isKnown(form, settings) ? 'password_missing' : null)
      at('ipv6.method', form.ipv6 === 'static' ? 'ipv6_with_pppoe' : null)
    }
    if (form.ipv6 === 'static') ipv6Faults(form, at)
    const servers = dnsOf(form.dns)
    at('dns', servers.length > 3 ? 'dns_too_many' : null)
    at('dns', servers.every((one) => isIpv4(one) || isIpv6(one)) ? null : 'dns_malformed')
    if (form.mtu.trim() !== '') {
      const [mtu, least] = [wholeOf(form.mtu), form.ipv6 === 'off' ? 576 : 1280]
      at('mtu', mtu >= least && mtu <= (form.ipv4 === 'pppoe' ? 1492 : 9216) ? null : 'mtu_range')
    }
  })
  return found
}

type At = (member: string, fault: string | null) => void

function ipv4Faults(form: InterfaceForm, at: At): void {
  const address = form.address4.trim()
  const net = ipv4Net(address)
  if (!net) {
    at('ipv4.address', 'address_malformed')
    return
  }
  at('ipv4.address', net.prefix >= 1 && net.prefix <= 31 ? null : 'prefix_range')
  if (net.prefix < 31) {
    at('ipv4.address', net.address === net.lowest ? 'address_is_net' : null)
    at('ipv4.address', net.address === net.highest ? 'address_is_broadcast' : null)
  }
  const gateway = form.gateway4.trim()
  if (gateway === '') return
  if (!isIpv4(gateway)) at('ipv4.gateway', 'gateway_malformed')
  else if (!ipv4InNet(gateway, net)) at('ipv4.gateway', 'gateway_outside')
  else if (gateway === address.split('/')[0]) at('ipv4.gateway', 'gateway_is_self')
}

function ipv6Faults(form: InterfaceForm, at: At): void {
  const [address = '', prefix] = form.address6.trim().split('/')
  const length = prefixOf(prefix)
  if (!isIpv6(address) || length === null) at('ipv6.address', 'address_malformed')
  else at('ipv6.address', length >= 1 && length <= 127 ? null : 'prefix_range')
  const gateway = form.gateway6.trim()
  at('ipv6.gateway', gateway === '' || isIpv6(gateway) ? null : 'gateway_malformed')
}

/** Whether the box knows the password for this user at this place. */
export function isKnown(form: InterfaceForm, settings: NetworkSettings): boolean {
  return settings.interfaces.some(
    (one) =>
      one.interface === form.interface &&
      typedVlan(one) === form.vlan &&
      one.ipv4.method === 'pppoe' &&
      one.ipv4.user === form.user.trim(),
  )
}

/** A field of the form that a member is typed in: name servers are one field. */
export const fieldOf = (member: string): string => member.replace(/\.dns\[\d+\]$/, '.dns')

/** Interfaces that have no settings of their own yet. */
export function unset(links: readonly NetworkLink[], forms: readonly InterfaceForm[]): string[] {
  const set = new Set(forms.map((form) => form.interface))
  return links.filter((link) => link.settable && !set.has(link.name)).map((link) => link.name)
}

/** Without one, and without its VLANs when it carries them. */
export function without(forms: readonly InterfaceForm[], gone: InterfaceForm): InterfaceForm[] {
  return forms.filter((one) => one !== gone && !(gone.vlan === null && one.interface === gone.interface))
}

/** Where the pages answer once the settings count: the addresses that are known before. */
export function newAddresses(settings: NetworkSettings, here: Location): string[] {
  const hosts = settings.interfaces.flatMap(({ ipv4, ipv6 }) => {
    const four = ipv4.method === 'static' ? [hostOf(ipv4.address)] : []
    const six = ipv6.method === 'static' ? [`[${hostOf(ipv6.address)}]`] : []
    return [...four, ...six]
  })
  const port = here.port ? `:${here.port}` : ''
  return hosts.map((host) => `${here.protocol}//${host}${port}/network`)
}

const hostOf = (address: string): string => address.split('/')[0] ?? ''
