//! Words that only mail needs. Alarms, severities and call types are said as the pages say them (`locales`).

/// Simplified, Traditional, English, as `Language::of` takes them. Names in braces are parameters.
pub type Words = [&'static str; 3];

pub const PLATFORM_AND_STATIONS: Words =
    ["{name}（{serial}），{time}", "{name}（{serial}），{time}", "{name} ({serial}), {time}"];
pub const ONE_RAISED: Words = ["{alarm}", "{alarm}", "{alarm}"];
pub const ONE_CLEARED: Words = ["已恢复：{alarm}", "已恢復：{alarm}", "Cleared: {alarm}"];
pub const MANY: Words = [
    "告警 {standing} 项，已恢复 {over} 项",
    "告警 {standing} 項，已恢復 {over} 項",
    "{standing} alarms, {over} cleared",
];
pub const STANDING: Words = ["新告警（{count}）", "新告警（{count}）", "New alarms ({count})"];
pub const OVER: Words = ["已恢复（{count}）", "已恢復（{count}）", "Cleared ({count})"];
pub const OF_STATION: Words = ["【{station}】{alarm}", "【{station}】{alarm}", "{station}: {alarm}"];
pub const SINCE: Words = ["开始于 {time}", "開始於 {time}", "since {time}"];
pub const UNTIL: Words = ["恢复于 {time}", "恢復於 {time}", "cleared {time}"];
pub const FROM_UNTIL: Words = ["{from} 至 {time}", "{from} 至 {time}", "{from} to {time}"];
pub const TIMES: Words = ["共 {count} 次", "共 {count} 次", "{count} times"];
pub const LEFT_OUT: Words = [
    "此外还有 {count} 项，请在告警页面查看。",
    "此外還有 {count} 項，請於告警頁面檢視。",
    "{count} more: see the alarms page.",
];
pub const OLDER_LEFT_OUT: Words = [
    "更早的告警未在此列出，请在告警页面查看。",
    "更早的告警未於此列出，請於告警頁面檢視。",
    "Older ones are not listed here: see the alarms page.",
];
pub const SUMMARY: Words = ["每日摘要", "每日摘要", "Daily summary"];
pub const RECORDINGS: Words =
    ["录音：{count} 条，{duration}", "錄音：{count} 筆，{duration}", "Recordings: {count}, {duration}"];
pub const OF_TYPE: Words =
    ["  {type}：{count} 条，{duration}", "  {type}：{count} 筆，{duration}", "  {type}: {count}, {duration}"];
pub const ALARMS_OF_DAY: Words = ["告警：{count} 项", "告警：{count} 項", "Alarms: {count}"];
pub const ALARMS_OF_KIND: Words = ["  {alarm}：{count}", "  {alarm}：{count}", "  {alarm}: {count}"];
pub const NOW_STANDING: Words =
    ["目前仍存在的告警（{count}）", "目前仍存在的告警（{count}）", "Alarms that stand now ({count})"];
pub const NONE_STANDING: Words = ["目前没有告警", "目前沒有告警", "No alarm stands now"];
pub const OFFLINE: Words = ["离线设备（{count}）", "離線設備（{count}）", "Stations offline ({count})"];
pub const NONE_OFFLINE: Words = ["所有设备均在线", "所有設備均在線", "All stations are online"];
pub const DISK: Words = [
    "磁盘：可用 {free} GB，共 {total} GB（{percent}%）",
    "磁碟：可用 {free} GB，共 {total} GB（{percent}%）",
    "Disk: {free} GB free of {total} GB ({percent}%)",
];
pub const TEST: Words = ["测试邮件", "測試郵件", "Test message"];
