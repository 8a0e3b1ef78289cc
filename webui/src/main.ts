// Starts the pages.
import 'element-plus/theme-chalk/dark/css-vars.css'
import './design/tokens.css'
import './design/element.css'
import './design/base.css'
import { createApp } from 'vue'
import App from './App.vue'
import { i18n } from './i18n'
import { router } from './router'
import { followSystem } from './scheme'
import { startLanguage } from './stores/session'

followSystem()
await startLanguage()
createApp(App).use(i18n).use(router).mount('#app')
