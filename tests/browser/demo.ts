// Makes the demo scenario once for all tests: sixteen ports, the first call at 4 s, a line lost from 37 to 48 s.
import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')
const kit = join(root, 'target/release/kit')
export const demo = join(import.meta.dirname, '.work/demo')

export default function makeDemo(): void {
  if (!existsSync(kit))
    throw new Error(`${kit} is missing: run 'cargo build --release -p hookline-test-kit' first.`)
  const made = join(demo, 'scenario.toml')
  if (existsSync(made) && statSync(made).mtimeMs > statSync(kit).mtimeMs) return
  execFileSync(kit, ['demo', demo], { stdio: 'inherit' })
}
