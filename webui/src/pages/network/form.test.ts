import { describe, expect, it } from 'vitest'
import type { NetworkInterface, NetworkLink, NetworkSettings } from '@/api'
import { isIpv4, isIpv6, ipv4Net } from './addresses'
import {
  dnsOf,
  faults,
  fieldOf,
  formOf,
  isDirty,
  newAddresses,
  newInterface,
  settingsOf,
  unset,
  without,
  type InterfaceForm,
} from './form'

const STATIC: NetworkInterface = {
  interface: 'eth0',
  vlan: null,
  ipv4: { method: 'static', address: '192.168.1.20/24', gateway: '192.168.1.1' },
  ipv6: { method: 'auto' },
  dns: ['9.9.9.9', '2620:fe::9'],
  mtu: null,
}
const DIALLED: NetworkInterface = {
  interface: 'eth0',
  vlan: 10,
  ipv4: { method: 'pppoe', user: 'anna', password: null, service: null },
  ipv6: { method: 'off' },
  dns: [],
  mtu: 1400,
}
const SETTINGS: NetworkSettings = { interfaces: [STATIC, DIALLED] }
const NOTHING: NetworkSettings = { interfaces: [] }

const typed = (over: Partial<InterfaceForm>): InterfaceForm => ({ ...newInterface('eth0'), ...over })
const found = (...forms: InterfaceForm[]) => Object.fromEntries(faults(forms, NOTHING))

describe('settings and form', () => {
  it('go there and back without a change', () => {
    expect(settingsOf(formOf(SETTINGS))).toEqual(SETTINGS)
    expect(isDirty(formOf(SETTINGS), SETTINGS)).toBe(false)
  })

  it('differ once something is typed, a password too', () => {
    const [eth0, vlan] = formOf(SETTINGS) as [InterfaceForm, InterfaceForm]
    expect(isDirty([{ ...eth0, address4: '192.168.1.21/24' }, vlan], SETTINGS)).toBe(true)
    expect(isDirty([eth0, { ...vlan, password: 'new' }], SETTINGS)).toBe(true)
    expect(isDirty([eth0], SETTINGS)).toBe(true)
    expect(isDirty([{ ...eth0, dns: ' 9.9.9.9,2620:fe::9 ' }, vlan], SETTINGS)).toBe(false)
  })

  it('send the fields of the chosen method only', () => {
    const form = typed({ ipv4: 'dhcp', address4: '10.0.0.1/8', user: 'anna', password: 'x' })
    expect(settingsOf([form]).interfaces[0]?.ipv4).toEqual({ method: 'dhcp' })
  })
})

describe('what the box would refuse', () => {
  it.each([
    ['192.168.1.20', 'address_malformed'],
    ['192.168.1.256/24', 'address_malformed'],
    ['192.168.1.20/024', 'address_malformed'],
    ['192.168.1.20/24/1', 'address_malformed'],
    ['192.168.1.20/32', 'prefix_range'],
    ['192.168.1.0/24', 'address_is_net'],
    ['192.168.1.255/24', 'address_is_broadcast'],
  ])('an address such as %s', (address4, fault) => {
    expect(found(typed({ ipv4: 'static', address4 }))).toEqual({ 'interfaces[0].ipv4.address': fault })
  })

  it.each([
    ['192.168.2.1', 'gateway_outside'],
    ['192.168.1.20', 'gateway_is_self'],
    ['192.168.1', 'gateway_malformed'],
  ])('a gateway such as %s', (gateway4, fault) => {
    const form = typed({ ipv4: 'static', address4: '192.168.1.20/24', gateway4 })
    expect(found(form)).toEqual({ 'interfaces[0].ipv4.gateway': fault })
  })

  it('a VLAN that is none, or stands there twice', () => {
    expect(found(typed({}), typed({ vlan: '4095' }))).toEqual({ 'interfaces[1].vlan': 'vlan_range' })
    expect(found(typed({ vlan: '5' }), typed({ vlan: '5 ' }))).toEqual({
      'interfaces[0].vlan': 'interface_twice',
      'interfaces[1].vlan': 'interface_twice',
    })
  })

  it('a provider without account or password, unless the box knows it', () => {
    expect(found(typed({ ipv4: 'pppoe' }))).toEqual({
      'interfaces[0].ipv4.user': 'user_malformed',
      'interfaces[0].ipv4.password': 'password_missing',
    })
    const forms = formOf(SETTINGS)
    expect(faults(forms, SETTINGS).size).toBe(0)
    const other = forms.map((form) => ({ ...form, user: 'bert' }))
    expect([...faults(other, SETTINGS).values()]).toEqual(['password_missing'])
  })

  it('IPv6, name servers and an MTU that cannot be', () => {
    expect(found(typed({ ipv6: 'static', address6: 'fe80/64' }))).toEqual({
      'interfaces[0].ipv6.address': 'address_malformed',
    })
    expect(found(typed({ ipv6: 'static', address6: '2001:db8::5/128' }))).toEqual({
      'interfaces[0].ipv6.address': 'prefix_range',
    })
    expect(found(typed({ dns: 'dns.example.net' }))).toEqual({ 'interfaces[0].dns': 'dns_malformed' })
    expect(found(typed({ dns: '1.1.1.1 1.0.0.1 9.9.9.9 8.8.8.8' }))).toEqual({
      'interfaces[0].dns': 'dns_too_many',
    })
    expect(found(typed({ mtu: '1279' }))).toEqual({ 'interfaces[0].mtu': 'mtu_range' })
    expect(found(typed({ mtu: '1279', ipv6: 'off' }))).toEqual({})
    expect(found(typed({ mtu: 'x' }))).toEqual({ 'interfaces[0].mtu': 'mtu_range' })
  })
})

describe('addresses', () => {
  it('are told apart from what is none', () => {
    for (const good of ['0.0.0.0', '10.0.0.1', '255.255.255.255']) expect(isIpv4(good), good).toBe(true)
    for (const bad of ['', '1.2.3', '1.2.3.4.', '01.2.3.4', '1.2.3.4.5', 'a.b.c.d', '256.1.1.1'])
      expect(isIpv4(bad), bad).toBe(false)
    for (const good of ['::', '::1', '2001:db8::5', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4', 'FE80::1'])
      expect(isIpv6(good), good).toBe(true)
    for (const bad of [
      '',
      '1:2',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7:8:9',
      '12345::',
      'fe80::1%eth0',
      '1.2.3.4',
    ])
      expect(isIpv6(bad), bad).toBe(false)
  })

  it('have a net', () => {
    expect(ipv4Net('10.5.6.7/14')).toEqual({
      address: 0x0a050607,
      prefix: 14,
      lowest: 0x0a040000,
      highest: 0x0a07ffff,
    })
    expect(ipv4Net('255.255.255.255/1')?.highest).toBe(0xffffffff)
  })

  it('of name servers stand apart by anything that people put between them', () => {
    expect(dnsOf(' 9.9.9.9，1.1.1.1、2620:fe::9; ')).toEqual(['9.9.9.9', '1.1.1.1', '2620:fe::9'])
    expect(fieldOf('interfaces[2].dns[1]')).toBe('interfaces[2].dns')
    expect(fieldOf('interfaces[2].mtu')).toBe('interfaces[2].mtu')
  })
})

describe('the list', () => {
  const link = (name: string, settable = true) => ({ name, settable }) as NetworkLink

  it('offers interfaces that have no settings of their own', () => {
    expect(unset([link('eth0'), link('eth1'), link('wlan0', false)], [newInterface('eth0')])).toEqual([
      'eth1',
    ])
  })

  it('loses VLANs with what carries them', () => {
    const [port, vlan, other] = [newInterface('eth0'), newInterface('eth0', '5'), newInterface('eth1')]
    const forms = [port, vlan, other]
    expect(without(forms, port)).toEqual([other])
    expect(without(forms, vlan)).toEqual([port, other])
  })

  it('tells where the pages will be', () => {
    const here = { protocol: 'https:', port: '8443' } as Location
    const six = { ...STATIC, ipv6: { method: 'static' as const, address: 'fd00::5/64' } }
    expect(newAddresses({ interfaces: [six] }, here)).toEqual([
      'https://192.168.1.20:8443/network',
      'https://[fd00::5]:8443/network',
    ])
    expect(newAddresses(NOTHING, here)).toEqual([])
  })
})
