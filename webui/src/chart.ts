// A chart in its box: drawn again when its size, the colours or what it shows change.
import { init, type EChartsType } from 'echarts/core'
import { onBeforeUnmount, onMounted, watch, type Ref } from 'vue'
import { colour, dark } from './scheme'

/** Keeps the chart in `box` as `options` says; `shows` is what these read. `pressed` hears which item was clicked. */
export function useChart(
  box: Readonly<Ref<HTMLDivElement | null>>,
  options: (width_px: number) => object,
  shows: () => unknown,
  pressed?: (index: number) => void,
): void {
  let chart: EChartsType | undefined
  let sized: ResizeObserver | undefined

  function draw(): void {
    chart?.setOption(
      {
        animation: false,
        // A canvas knows no `inherit`.
        textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
        ...options(box.value?.clientWidth ?? 0),
      },
      true,
    )
  }

  onMounted(() => {
    if (!box.value) return
    chart = init(box.value)
    chart.on('click', ({ dataIndex }) => pressed?.(dataIndex))
    sized = new ResizeObserver(() => {
      chart?.resize()
      draw()
    })
    sized.observe(box.value)
    draw()
  })
  watch([shows, dark], draw, { flush: 'post' })
  onBeforeUnmount(() => {
    sized?.disconnect()
    chart?.dispose()
  })
}

export const axisStyle = (shown?: (value: number) => string) => ({
  axisLabel: { color: colour('--text-soft'), fontSize: 12, ...(shown ? { formatter: shown } : {}) },
  axisLine: { lineStyle: { color: colour('--line') } },
  splitLine: { lineStyle: { color: colour('--line') } },
})

export const tooltipStyle = () => ({
  backgroundColor: colour('--surface-raised'),
  borderColor: colour('--line'),
  textStyle: { color: colour('--text') },
})
