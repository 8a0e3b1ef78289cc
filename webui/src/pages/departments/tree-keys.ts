// What keys do in a tree: up and down move, right opens or goes in, left folds or goes out.
import type { Node } from '@/stores/departments'

/** Nodes that do not lie below a folded one. */
export function visible(tree: readonly Node[], folded: ReadonlySet<string>): Node[] {
  const out: Node[] = []
  /** Depth of the folded node that hides what comes now. */
  let hiding = Infinity
  for (const node of tree) {
    if (node.depth > hiding) continue
    hiding = folded.has(node.department.name) ? node.depth : Infinity
    out.push(node)
  }
  return out
}

/** Where a key leads from the node of this name, and whether the node there is folded; `null`: the key is not the tree's. */
export function step(
  shown: readonly Node[],
  folded: ReadonlySet<string>,
  name: string,
  key: string,
): { to: string; fold?: boolean } | null {
  const at = shown.findIndex(({ department }) => department.name === name)
  const node = shown[at]
  if (!node) return null
  const go = (index: number) => {
    const next = shown[Math.min(Math.max(0, index), shown.length - 1)]
    return next ? { to: next.department.name } : null
  }
  const isFolded = folded.has(name)
  switch (key) {
    case 'ArrowDown':
      return go(at + 1)
    case 'ArrowUp':
      return go(at - 1)
    case 'Home':
      return go(0)
    case 'End':
      return go(shown.length - 1)
    case 'ArrowRight':
      if (!node.parent) return null
      return isFolded ? { to: name, fold: false } : go(at + 1)
    case 'ArrowLeft': {
      if (node.parent && !isFolded) return { to: name, fold: true }
      const above = shown.slice(0, at).findLastIndex(({ depth }) => depth < node.depth)
      return above < 0 ? null : go(above)
    }
    default:
      return null
  }
}
