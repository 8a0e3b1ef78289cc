// Which address shows which page, and the right it needs. Every page is loaded when it is first opened.
import { createRouter, createWebHistory } from 'vue-router'
import { ElMessage } from 'element-plus'
import { api, onSessionLost, type Right } from './api'
import { problemText } from './problem'
import { can, forgetSession, loadSession, session } from './stores/session'

export interface Place {
  name: string
  path: string
  right?: Right
}

/** The pages of the menu, in its order; a group has a heading of its own. */
export const PLACES: readonly (Place & { group?: 'device' | 'system' })[] = [
  { name: 'live', path: '/live', right: 'live' },
  { name: 'recordings', path: '/recordings', right: 'listen' },
  { name: 'alarms', path: '/alarms', right: 'live' },
  { name: 'reports', path: '/reports', right: 'listen' },
  { name: 'channels', path: '/channels', right: 'settings', group: 'device' },
  { name: 'accounts', path: '/accounts', right: 'accounts', group: 'system' },
  { name: 'contacts', path: '/contacts', right: 'live', group: 'system' },
  { name: 'audit', path: '/audit', right: 'audit', group: 'system' },
  { name: 'settings', path: '/settings', right: 'settings', group: 'system' },
  { name: 'about', path: '/about', group: 'system' },
]

const PAGES: Record<string, () => Promise<unknown>> = {
  live: () => import('./pages/live/Live.vue'),
  recordings: () => import('./pages/recordings/Recordings.vue'),
  alarms: () => import('./pages/alarms/Alarms.vue'),
  reports: () => import('./pages/reports/Reports.vue'),
  channels: () => import('./pages/channels/Channels.vue'),
  accounts: () => import('./pages/accounts/Accounts.vue'),
  contacts: () => import('./pages/contacts/Contacts.vue'),
  audit: () => import('./pages/audit/Audit.vue'),
  settings: () => import('./pages/settings/Settings.vue'),
  about: () => import('./pages/about/About.vue'),
}

const Nowhere = () => import('./pages/nowhere/Nowhere.vue')

/** The first page that this account may open; system information is open to all. */
function home(): string {
  return PLACES.find(({ right }) => !right || can(right))?.path ?? '/about'
}

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
    ...PLACES.map(({ name, path, right }) => ({
      name,
      path,
      component: PAGES[name] as () => Promise<never>,
      meta: { right },
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
  const right = to.meta['right'] as Right | undefined
  return to.name === 'start' || (right && !can(right)) ? home() : true
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
