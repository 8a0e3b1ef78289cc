// Which address shows which page, and the right it needs. Every page is loaded when it is first opened.
import { createRouter, createWebHistory } from 'vue-router'
import { ElMessage } from 'element-plus'
import { api, onSessionLost, type Right, type Role } from './api'
import { problemText } from './problem'
import { box, isPlatform, loadBox } from './stores/box'
import { can, forgetSession, loadSession, session } from './stores/session'

export interface Place {
  name: string
  path: string
  right?: Right
  /** Only boxes of this role have it. */
  role?: Role
  /** On a platform: only for accounts of no department, who see everything. */
  whole?: boolean
}

export type Group = 'device' | 'organisation' | 'system'

/** The pages of the menu, in its order; a group has a heading of its own. People are a group on a platform. */
const PLACES: readonly (Place & { group?: Group; platform_group?: Group })[] = [
  { name: 'home', path: '/home', right: 'live', role: 'platform' },
  { name: 'stations', path: '/stations', right: 'live', role: 'platform' },
  { name: 'live', path: '/live', right: 'live', role: 'station' },
  { name: 'recordings', path: '/recordings', right: 'listen' },
  { name: 'alarms', path: '/alarms', right: 'live' },
  { name: 'reports', path: '/reports', right: 'listen' },
  { name: 'channels', path: '/channels', right: 'settings', role: 'station', group: 'device' },
  { name: 'units', path: '/units', right: 'settings', role: 'station', group: 'device' },
  { name: 'uplink', path: '/platform', right: 'settings', role: 'station', group: 'device' },
  { name: 'departments', path: '/departments', right: 'live', role: 'platform', group: 'organisation' },
  {
    name: 'accounts',
    path: '/accounts',
    right: 'accounts',
    group: 'system',
    platform_group: 'organisation',
  },
  { name: 'contacts', path: '/contacts', right: 'live', group: 'system', platform_group: 'organisation' },
  { name: 'audit', path: '/audit', right: 'audit', group: 'system' },
  { name: 'mail', path: '/mail', right: 'system', whole: true, group: 'system' },
  { name: 'time', path: '/time', right: 'system', whole: true, group: 'system' },
  { name: 'network', path: '/network', right: 'system', whole: true, group: 'system' },
  { name: 'settings', path: '/settings', right: 'settings', role: 'station', group: 'system' },
  { name: 'upgrades', path: '/upgrades', right: 'system', role: 'platform', group: 'system' },
  { name: 'server', path: '/server', right: 'system', role: 'platform', group: 'system' },
  { name: 'about', path: '/about', group: 'system' },
]

/** Pages that are reached through another. */
const INNER: readonly Place[] = [
  { name: 'station', path: '/stations/:serial', right: 'live', role: 'platform' },
]

const PAGES: Record<string, () => Promise<unknown>> = {
  home: () => import('./pages/home/Home.vue'),
  stations: () => import('./pages/stations/Stations.vue'),
  station: () => import('./pages/station/Station.vue'),
  departments: () => import('./pages/departments/Departments.vue'),
  server: () => import('./pages/server/Server.vue'),
  uplink: () => import('./pages/uplink/Uplink.vue'),
  live: () => import('./pages/live/Live.vue'),
  recordings: () => import('./pages/recordings/Recordings.vue'),
  alarms: () => import('./pages/alarms/Alarms.vue'),
  reports: () => import('./pages/reports/Reports.vue'),
  channels: () => import('./pages/channels/Channels.vue'),
  units: () => import('./pages/units/Units.vue'),
  accounts: () => import('./pages/accounts/Accounts.vue'),
  contacts: () => import('./pages/contacts/Contacts.vue'),
  audit: () => import('./pages/audit/Audit.vue'),
  mail: () => import('./pages/mail/Mail.vue'),
  network: () => import('./pages/network/Network.vue'),
  upgrades: () => import('./pages/upgrades/Upgrades.vue'),
  time: () => import('./pages/time/Time.vue'),
  settings: () => import('./pages/settings/Settings.vue'),
  about: () => import('./pages/about/About.vue'),
}

const Nowhere = () => import('./pages/nowhere/Nowhere.vue')

const role = (): Role => (isPlatform.value ? 'platform' : 'station')
const isOpen = (place: Place) =>
  (!place.role || place.role === role()) &&
  (!place.right || can(place.right)) &&
  (!place.whole || !session.value?.department)

/** Pages that this account may open on this box, with the heading that each stands below. */
export const openPlaces = () =>
  PLACES.filter(isOpen).map(({ name, path, group, platform_group }) => ({
    name,
    path,
    group: (isPlatform.value && platform_group) || group,
  }))

/** The first page that this account may open; system information is open to all. */
const home = (): string => openPlaces()[0]?.path ?? '/about'

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    // The guard sends `/` on, once it is known who asks.
    { path: '/', name: 'start', component: Nowhere },
    {
      path: '/login',
      name: 'login',
      component: () => import('./pages/login/Login.vue'),
      meta: { bare: true },
    },
    ...[...PLACES, ...INNER].map((place) => ({
      name: place.name,
      path: place.path,
      component: PAGES[place.name] as () => Promise<never>,
      meta: { place },
    })),
    { path: '/:rest(.*)*', name: 'nowhere', component: Nowhere },
  ],
})

router.beforeEach(async (to) => {
  if (to.name === 'login') return true
  const who = await loadSession().catch(() => null)
  if (!who || who.must_change_password) {
    return { name: 'login', query: to.name === 'start' ? {} : { next: to.fullPath } }
  }
  // Which pages there are depends on what box this is. One that does not answer is told by the frame.
  if (!box.value) await loadBox().catch(() => undefined)
  const place = to.meta['place'] as Place | undefined
  return to.name === 'start' || (place && !isOpen(place)) ? home() : true
})

// The code of a page did not come. The box may be away; or it is another version now, whose pages have other names:
// then the page is asked for from the beginning.
router.onError(async (_error, to, from) => {
  try {
    await api.box()
    if (from.matched.length > 0) location.assign(to.fullPath)
  } catch (error) {
    ElMessage.error(problemText(error))
  }
})

onSessionLost(() => {
  if (!session.value) return
  forgetSession()
  void router.push({ name: 'login', query: { next: router.currentRoute.value.fullPath, ended: '1' } })
})
