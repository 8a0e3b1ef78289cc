// The organisation tree as far as the account sees it: asked for once, and again when it was changed.
import { computed, shallowRef } from 'vue'
import { api, type Department } from '@/api'

export interface Node {
  department: Department
  /** 0 at the top. */
  depth: number
  /** Whether others stand below it. */
  parent: boolean
}

const items = shallowRef<Department[] | null>(null)
let asking: Promise<void> | undefined

export const departments = computed(() => items.value)

/** Departments in the order of the tree, each with its depth; those whose parent is out of sight stand at the top. */
export function treeOf(all: readonly Department[]): Node[] {
  const names = new Set(all.map(({ name }) => name))
  const below = new Map<string | null, Department[]>()
  for (const one of all) {
    const parent = one.parent !== null && names.has(one.parent) ? one.parent : null
    below.set(parent, [...(below.get(parent) ?? []), one])
  }
  const out: Node[] = []
  const add = (parent: string | null, depth: number) => {
    for (const department of below.get(parent) ?? []) {
      out.push({ department, depth, parent: below.has(department.name) })
      add(department.name, depth + 1)
    }
  }
  add(null, 0)
  return out
}

/** The name and those of all departments below it. */
export function withBelow(all: readonly Department[], name: string): Set<string> {
  const found = new Set([name])
  // Parents come before their children in the tree.
  for (const { department } of treeOf(all)) {
    if (department.parent !== null && found.has(department.parent)) found.add(department.name)
  }
  return found
}

export const tree = computed(() => treeOf(items.value ?? []))

export async function loadDepartments(): Promise<void> {
  items.value = (await api.departments()).items
}

/** Asks once; a page that only offers departments to choose from does without them when that fails. */
export function needDepartments(): void {
  if (items.value) return
  asking ??= loadDepartments()
    .catch(() => undefined)
    .finally(() => (asking = undefined))
}
