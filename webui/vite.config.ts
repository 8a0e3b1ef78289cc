// How the pages are built. HOOKLINE_URL is the station that `npm run dev` sends API calls to.
import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import elementPlus from 'unplugin-element-plus/vite'
import { defineConfig } from 'vitest/config'

const station = process.env['HOOKLINE_URL'] ?? 'https://localhost:8443'

export default defineConfig({
  // Tests of components look at what is said, not at styles: Node reads no CSS.
  plugins: [vue(), ...(process.env['VITEST'] ? [] : [elementPlus({})])],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: {
    __VUE_OPTIONS_API__: 'true',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
  },
  build: {
    target: 'es2022',
    // Every asset is a file of its own: the content security policy allows no data: scripts.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
    manifest: true,
  },
  server: {
    // The station answers only to pages of its own address.
    proxy: {
      '/api': { target: station, secure: false, changeOrigin: true, ws: true, headers: { origin: station } },
    },
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts', 'scripts/**/*.test.mjs'],
  },
})
