// Fails when what a browser must load before the first page shows is more than 300 KiB compressed: the entry, all that
// it imports at once, the login page, and the largest language.
//   node scripts/check-size.mjs     (after a build)
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const MOST_KIB = 300
const dist = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist')
const manifest = JSON.parse(readFileSync(join(dist, '.vite', 'manifest.json'), 'utf8'))
const kib = (file) => gzipSync(readFileSync(join(dist, file)), { level: 6 }).length / 1024

/** Files of a chunk with all that it imports at once. */
function filesOf(name, found = new Set()) {
    const chunk = manifest[name]
    if (!chunk) throw new Error(`${name} is not in the build`)
    if (found.has(chunk.file)) return found
    found.add(chunk.file)
    for (const css of chunk.css ?? []) found.add(css)
    for (const child of chunk.imports ?? []) filesOf(child, found)
    return found
}

const total = (files) => [...files].reduce((sum, file) => sum + kib(file), 0)
const largest = (prefix) =>
    Math.max(
        ...Object.keys(manifest)
            .filter((name) => name.startsWith(prefix))
            .map((name) => total(filesOf(name))),
    )

const entry = filesOf('index.html')
const words = largest('src/locales/')
let failed = false
for (const page of [
    'src/pages/login/Login.vue',
    'src/pages/live/Live.vue',
    'src/pages/recordings/Recordings.vue',
]) {
    const size = total(new Set([...entry, ...filesOf(page)])) + words + kib('index.html')
    console.log(`first load of ${page.split('/')[2]}: ${size.toFixed(1)} KiB gzip (at most ${MOST_KIB})`)
    failed ||= size > MOST_KIB
}
if (failed) process.exit(1)
